"""How much faster a step made the model, both timed at once."""

import time
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.data import Inputs, Splits
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.interval import quantile_interval
from fivefold.core.limits import Count, Natural
from fivefold.core.model import Model
from fivefold.core.probe import Comparison
from fivefold.core.progress import track
from fivefold.efficiency.latency import needed, place_of
from fivefold.efficiency.timing import inputs_of, load_note, load_per_core


@dataclass(frozen=True, kw_only=True)
class Speedup(Comparison):
    """Time of the model before over the time of the model after: above 1 is faster.

    The two are called turn about, so that what slows the machine slows both. Times of two stages that
    were taken minutes apart cannot be subtracted: the machine has changed meanwhile.

    Attributes:
        batches: Batch sizes.
        repeats: Pairs of calls at each batch size.
        warmup: Pairs before the first that counts.
    """

    axis: ClassVar[Axis] = Axis.EFFICIENCY

    batches: tuple[Count, ...] = (1, 64)
    repeats: Count = 200
    warmup: Natural = 10

    def __post_init__(self) -> None:
        if self.repeats < needed(0.5):
            raise ValueError(f"Bounding a median takes at least {needed(0.5)} repeats.")

    def __call__(
        self, before: Model, after: Model, splits: Splits, *, rng: Generator
    ) -> list[Finding]:
        """Time the calls in pairs.

        Raises:
            NotMeasurable: There are no test examples.
        """
        return [self._at(size, before, after, splits) for size in track(self.batches, "speedup")]

    def _at(self, size: int, before: Model, after: Model, splits: Splits) -> Evidence:
        note, x = load_note(load_per_core()), inputs_of(splits, size)
        pairs = [paired(before, after, x, i) for i in range(self.warmup + self.repeats)]
        value, low, high = ratio(torch.tensor(pairs[self.warmup :], dtype=torch.float64))
        return Evidence(
            axis=self.axis,
            name="speedup",
            value=value,
            low=low,
            high=high,
            n=self.repeats,
            unit="times",
            better="higher",
            floor=1.0,
            setting=f"batch {size}, {place_of(after)}",
            interval="order statistics",
            note=note,
        )


def ratio(pairs: Float[Tensor, "pair two"]) -> tuple[float, float, float]:
    """Return the median of before over after, and its distribution-free interval."""
    return quantile_interval(pairs[:, 0] / pairs[:, 1], 0.5)


def paired(before: Model, after: Model, x: Inputs, turn: int) -> tuple[float, float]:
    """Return the seconds of one call of each; who goes first changes with every turn."""
    if turn % 2:
        second, first = _seconds(after, x), _seconds(before, x)
        return first, second
    return _seconds(before, x), _seconds(after, x)


def _seconds(model: Model, x: Inputs) -> float:
    start = time.perf_counter()
    model.predict(x)
    return time.perf_counter() - start
