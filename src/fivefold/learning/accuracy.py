"""How well the task itself is done."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Generator

from fivefold.core.data import Splits
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.interval import wilson
from fivefold.core.model import Model
from fivefold.core.probe import Probe


@dataclass(frozen=True, kw_only=True)
class Accuracy(Probe):
    """Share of held-out examples whose top class is right."""

    axis: ClassVar[Axis] = Axis.LEARNING

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Count correct answers on the test split."""
        hits = int((model.predict(splits.test.x).argmax(-1) == splits.test.y).sum())
        n = splits.test.size
        low, high = wilson(hits, n)
        floor = float(splits.test.y.bincount().max()) / n
        return [
            Evidence(
                axis=self.axis,
                name="accuracy",
                value=hits / n,
                low=low,
                high=high,
                n=n,
                unit="fraction",
                better="higher",
                floor=floor,
                ceiling=1.0,
                interval="Wilson",
            )
        ]
