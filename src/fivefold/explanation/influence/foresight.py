"""Whether influences foretell what training anew would do, and whether they find wrong labels."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from fivefold.core.data import Batch, Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.limits import Count, Probability, Share
from fivefold.core.model import HasArchitecture, Model
from fivefold.core.probe import Probe
from fivefold.core.randomness import spawn
from fivefold.core.text import text
from fivefold.explanation.influence.datamodeling import datamodeling_score
from fivefold.explanation.influence.influencer import Influencer
from fivefold.explanation.influence.last_layer import LastLayerInfluence
from fivefold.explanation.influence.question import decided
from fivefold.explanation.influence.retraining import Retraining, parts_of
from fivefold.explanation.influence.roc_area import roc_area
from fivefold.explanation.influence.score import score
from fivefold.explanation.influence.tracin import TracIn

FEWEST = 3  # models, or wrong labels, without which there is nothing to tell


@dataclass(frozen=True, kw_only=True)
class DatamodelingScore(Probe):
    """Linear datamodeling score: how well summed influences foretell models trained on parts of the data.

    Attributes:
        influencer: What attributes answers to training examples.
        n_rows: Test rows whose answers are foretold.
        n_models: Models trained anew, each on a part of its own.
        share: Part of the training rows that each learns from.
        retraining: How they are trained; as the model was, if the score is to speak of it.
    """

    axis: ClassVar[Axis] = Axis.EXPLANATION
    influencer: Influencer = LastLayerInfluence()
    n_rows: Count = 20
    n_models: Count = 16
    share: Probability = 0.5
    retraining: Retraining = Retraining()

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Return the mean rank correlation over rows.

        Raises:
            NotMeasurable: The model cannot be trained anew, or has a privacy guarantee.
        """
        train, rows = splits.seen.train, _asked(model, splits, self.n_rows, spawn(rng))
        if not isinstance(model, HasArchitecture):
            raise NotMeasurable(
                "How to train a {model} anew is not known.",
                mend="Measure a network built by Fivefold.",
                model=type(model).__name__,
            )
        values = self.influencer(model, train, rows, rng=spawn(rng)).values
        parts = parts_of(train.size, max(self.n_models, FEWEST), self.share, spawn(rng))
        trained = self.retraining(model, train, parts, spawn(rng))
        seen = torch.stack([score(m.predict(rows.x).double(), rows.y, m.task) for m in trained], 1)
        found = datamodeling_score(values, parts, seen)
        return [
            Evidence(
                axis=self.axis,
                name="datamodeling_score",
                value=found.value,
                low=found.low,
                high=found.high,
                n=rows.size,
                unit="rank correlation",
                better="higher",
                floor=0.0,
                ceiling=1.0,
                setting=f"{type(self.influencer).__name__}, {len(parts)} models",
                interval="Student t over rows and models",
                note=text(
                    "Answers of {n} models, each trained anew on {share} of the training rows ({how}), beside what the influences foretold.",
                    n=len(parts),
                    share=self.share,
                    how=str(self.retraining),
                ),
            )
        ]


@dataclass(frozen=True, kw_only=True)
class WrongLabels(Probe):
    """Whether influences find wrong labels: some are exchanged, the network learns them, and they are sought.

    An example with a wrong label stands out because it speaks strongly for its own label (self-influence).

    Attributes:
        influencer: What attributes answers to training examples.
        share: Part of the labels that are exchanged.
        most_rows: Training rows at most.
        retraining: How the network that learns the wrong labels is trained.
    """

    axis: ClassVar[Axis] = Axis.EXPLANATION
    influencer: Influencer = TracIn()
    share: Share = 0.1
    most_rows: Count = 1000
    retraining: Retraining = Retraining()

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Return the area under the ROC curve of finding them.

        Raises:
            NotMeasurable: Numbers are predicted, too few labels would be exchanged, or the model cannot be
                trained anew.
        """
        if not model.task.is_classification or not isinstance(model, HasArchitecture):
            raise NotMeasurable(
                "Labels can be exchanged for a classifier only, and one that can be trained anew.",
                mend="Measure a network with classes built by Fivefold.",
            )
        train = splits.seen.train
        train = train.take(torch.randperm(train.size, generator=rng)[: self.most_rows])
        is_wrong = parts_of(train.size, 1, self.share, rng)[0]
        if int(is_wrong.sum()) < FEWEST:
            raise NotMeasurable(
                "There are too few training rows to exchange labels.", mend="Raise share."
            )
        shifted = (train.y + 1 + torch.randint(0, model.task.n_outputs - 1, train.y.shape, generator=rng)) % model.task.n_outputs  # fmt: skip
        told = train._replace(y=torch.where(is_wrong, shifted, train.y))
        whole = torch.ones(1, train.size, dtype=torch.bool)
        (misled,) = self.retraining(model, told, whole, spawn(rng))
        own = self.influencer(misled, told, told, rng=spawn(rng)).values.diagonal()
        value, low, high = roc_area(own, is_wrong)
        return [_found(type(self.influencer).__name__, value, low, high, is_wrong)]


def _found(name: str, value: float, low: float, high: float, is_wrong: Tensor) -> Evidence:
    return Evidence(
        axis=Axis.EXPLANATION,
        name="wrong_labels_found",
        value=value,
        low=low,
        high=high,
        n=len(is_wrong),
        unit="AUC",
        better="higher",
        floor=0.5,
        ceiling=1.0,
        setting=f"{name}, {int(is_wrong.sum())} of {len(is_wrong)} labels",
        interval="DeLong",
        note=text("A fresh network learned the exchanged labels; self-influence ranks the rows."),
    )


def _asked(model: Model, splits: Splits, n: int, rng: Generator) -> Batch:
    some = splits.test.take(torch.randperm(splits.test.size, generator=rng)[:n])
    return decided(model, some.x)
