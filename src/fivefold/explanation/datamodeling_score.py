"""Whether influences foretell what models trained anew answer (Park et al., 2023), beside two that cost nothing."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator

from fivefold.core.chart import Chart
from fivefold.core.data import Splits
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.limits import Count, Probability
from fivefold.core.model import Model, with_architecture
from fivefold.core.probe import Probe
from fivefold.core.randomness import spawn
from fivefold.core.text import text
from fivefold.explanation.influence import (
    Influencer,
    LastLayerInfluence,
    NearestExamples,
    RandomInfluence,
    decided,
)
from fivefold.explanation.influence.datamodeling import Scored, datamodeling_score
from fivefold.explanation.influence.retraining import Retraining, Trains, parts_of
from fivefold.explanation.influence.score import score

FEWEST = 3  # models, without which there is no order to foretell


@dataclass(frozen=True, kw_only=True)
class DatamodelingScore(Probe):
    """Linear datamodeling score: the rank correlation of summed influences with models trained on parts of the data.

    Similar examples and random numbers are scored on the same models: what an influence does not do better
    than those, it has not explained. Chance in training keeps even true influences below 1.

    Attributes:
        influencer: What attributes answers to training examples.
        n_rows: Test rows whose answers are foretold.
        n_models: Models trained anew, each on a part of its own; at least three.
        share: Part of the training rows that each learns from.
        retraining: How they are trained; as the model was, if the score is to speak of it.
    """

    axis: ClassVar[Axis] = Axis.EXPLANATION
    influencer: Influencer = LastLayerInfluence()
    n_rows: Count = 20
    n_models: Count = 16
    share: Probability = 0.5
    retraining: Trains = Retraining()

    def __post_init__(self) -> None:
        if self.n_models < FEWEST:
            raise ValueError(f"DatamodelingScore needs at least {FEWEST} models.")

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Return the mean rank correlation over rows, with a picture of it beside the two others.

        Raises:
            NotMeasurable: The model cannot be trained anew, or has a privacy guarantee.
        """
        model, train = with_architecture(model, self), splits.seen.train
        drawn = torch.randperm(splits.test.size, generator=rng)[: self.n_rows]
        rows = decided(model, splits.test.take(drawn).x)
        plain = (
            NearestExamples(reveal=True),
            RandomInfluence(reveal=True),
        )  # no row leaves this probe
        every = (self.influencer, *plain)
        values = [one(model, train, rows, rng=spawn(rng)).values for one in every]
        parts = parts_of(train.size, self.n_models, self.share, spawn(rng))
        trained = self.retraining(model, train, parts, spawn(rng))
        seen = torch.stack([score(m.predict(rows.x).double(), rows.y, m.task) for m in trained], 1)
        found = [datamodeling_score(v, parts, seen) for v in values]
        return [self._found(found, [type(one).__name__ for one in every], rows.size)]

    def _found(self, found: list[Scored], names: list[str], n: int) -> Evidence:
        ours, nearest, _ = found
        return Evidence(
            axis=self.axis,
            name="datamodeling_score",
            value=ours.value,
            low=ours.low,
            high=ours.high,
            n=n,
            unit="rank correlation",
            better="higher",
            floor=0.0,
            ceiling=1.0,
            setting=f"{names[0]}, {self.n_models} models",
            interval="Student t over rows and models",
            note=text(
                "Answers of {n} models, each trained anew on {share} of the training rows ({how}), beside what the influences foretold; similar examples reach {nearest}.",
                n=self.n_models,
                share=self.share,
                how=str(self.retraining),
                nearest=nearest.value,
            ),
            chart=_chart(found, names),
        )


def _chart(found: list[Scored], names: list[str]) -> Chart:
    return Chart(
        title=text("How well influences foretell models trained on parts of the data"),
        kind="bar",
        x="method",
        y="rank correlation",
        rows=tuple(
            {"method": name, "rank correlation": f.value, "low": f.low, "high": f.high}
            for name, f in dict(zip(names, found, strict=True)).items()
        ),
        low="low",
        high="high",
    )
