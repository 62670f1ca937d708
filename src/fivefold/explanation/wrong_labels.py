"""Whether influences find wrong labels among the training rows (Koh and Liang, 2017)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool
from torch import Generator, Tensor

from fivefold.core.data import Batch, Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.limits import Count, Probability
from fivefold.core.model import HasArchitecture, Model, with_architecture
from fivefold.core.probe import Probe
from fivefold.core.randomness import spawn
from fivefold.core.text import text
from fivefold.explanation.influence import Influencer, TracIn
from fivefold.explanation.influence.retraining import Retraining, Trains, parts_of
from fivefold.explanation.influence.roc_area import roc_area
from fivefold.explanation.influence.score import pull

FEWEST = 3  # wrong labels, and right ones, without which there is nothing to tell


@dataclass(frozen=True, kw_only=True)
class WrongLabels(Probe):
    """Whether influences find wrong labels: some are exchanged, a fresh network learns them, and they are sought.

    An example with a wrong label stands out because it speaks strongly for its own label (self-influence).

    Attributes:
        influencer: What attributes answers to training examples.
        share: Part of the labels that are exchanged.
        most_rows: Training rows at most.
        retraining: How the network that learns the wrong labels is trained.
    """

    axis: ClassVar[Axis] = Axis.EXPLANATION
    influencer: Influencer = TracIn()
    share: Probability = 0.1
    most_rows: Count = 1000
    retraining: Trains = Retraining()

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Return the area under the ROC curve of finding them.

        Raises:
            NotMeasurable: Numbers are predicted, too few labels would be exchanged, or the model cannot be
                trained anew.
        """
        if not model.task.is_classification:
            raise NotMeasurable("Labels can be exchanged for a classifier only.")
        model = with_architecture(model, self)
        train = splits.seen.train
        train = train.take(torch.randperm(train.size, generator=rng)[: self.most_rows])
        is_wrong = parts_of(train.size, 1, self.share, rng)[0]
        if min(int(is_wrong.sum()), int((~is_wrong).sum())) < FEWEST:
            raise NotMeasurable(
                "There are too few training rows to exchange labels.", mend="Change the share."
            )
        told = _exchanged(train, is_wrong, model.task.n_outputs, rng)
        return [self._found(model, told, is_wrong, rng)]

    def _found(
        self,
        model: HasArchitecture,
        told: Batch,
        is_wrong: Bool[Tensor, " row"],
        rng: Generator,
    ) -> Evidence:
        whole = torch.ones(1, told.size, dtype=torch.bool)
        (misled,) = self.retraining(model, told, whole, spawn(rng))
        own = self.influencer(misled, told, told, rng=spawn(rng)).values.diagonal()
        value, low, high = roc_area(own, is_wrong)
        loss, _, _ = roc_area(pull(misled.predict(told.x), told.y, misled.task), is_wrong)
        return Evidence(
            axis=self.axis,
            name="wrong_labels_found",
            value=value,
            low=low,
            high=high,
            n=told.size,
            unit="AUC",
            better="higher",
            floor=0.5,
            ceiling=1.0,
            setting=f"{type(self.influencer).__name__}, {int(is_wrong.sum())} of {told.size} labels",
            interval="DeLong over rows",
            note=text(
                "A fresh network learned the exchanged labels, and self-influence ranks the rows; the loss alone reaches {loss}. The interval speaks of this one network and of these exchanged labels.",
                loss=loss,
            ),
        )


def _exchanged(
    train: Batch, is_wrong: Bool[Tensor, " row"], n_classes: int, rng: Generator
) -> Batch:
    """Return the examples with another label, any other, where it is to be wrong."""
    step = 1 + torch.randint(n_classes - 1, train.y.shape, generator=rng)
    return train._replace(y=torch.where(is_wrong, (train.y + step) % n_classes, train.y))
