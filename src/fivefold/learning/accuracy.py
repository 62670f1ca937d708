"""How well the task itself is done."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Generator

from fivefold.core.data import Splits
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.interval import wilson
from fivefold.core.model import Model
from fivefold.core.probe import Probe
from fivefold.learning.asked import classes
from fivefold.learning.confusion import confusion, picture


@dataclass(frozen=True, kw_only=True)
class Accuracy(Probe):
    """Share of held-out examples whose top class is right. Its floor is always saying the commonest class."""

    axis: ClassVar[Axis] = Axis.LEARNING
    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Count correct answers on the test split.

        Raises:
            NotMeasurable: The task has no classes, or nothing is held out.
        """
        outputs, truth = classes(model, splits, self)
        counts = confusion(truth, outputs.argmax(-1), model.task.n_outputs)
        hits, n = int(counts.diagonal().sum()), len(truth)
        low, high = wilson(hits, n)
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
                floor=float(counts.sum(1).max()) / n,
                ceiling=1.0,
                interval="Wilson",
                chart=picture(counts, model.task.classes),
            )
        ]
