"""How the learning rate changes over a run, as parts that a recipe can name."""

from dataclasses import dataclass
from math import cos, pi
from typing import Protocol, runtime_checkable

from fivefold.core.limits import Share


@runtime_checkable
class Schedule(Protocol):
    """Multiplies the learning rate. It has no state: resuming needs only the index of the batch."""

    def factor(self, index: int, n_batches: int) -> float:
        """Return what the learning rate is multiplied by for batch `index` of `n_batches`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Constant:
    """The same learning rate throughout."""

    def factor(self, index: int, n_batches: int) -> float:
        """Return 1."""
        return 1.0


@dataclass(frozen=True, kw_only=True)
class Cosine:
    """A linear rise, then half a cosine down (Loshchilov and Hutter, 2017).

    Attributes:
        warmup: Share of the batches in which it rises.
        last: Factor it falls to.
    """

    warmup: Share = 0.0
    last: Share = 0.0

    def factor(self, index: int, n_batches: int) -> float:
        """Return the factor for batch `index`."""
        rise, fallen = _progress(self.warmup, index, n_batches)
        return rise * (self.last + (1 - self.last) * (1 + cos(pi * fallen)) / 2)


@dataclass(frozen=True, kw_only=True)
class Linear:
    """A linear rise, then a straight line down.

    Attributes:
        warmup: Share of the batches in which it rises.
        last: Factor it falls to.
    """

    warmup: Share = 0.0
    last: Share = 0.0

    def factor(self, index: int, n_batches: int) -> float:
        """Return the factor for batch `index`."""
        rise, fallen = _progress(self.warmup, index, n_batches)
        return rise * (self.last + (1 - self.last) * (1 - fallen))


def _progress(warmup: float, index: int, n_batches: int) -> tuple[float, float]:
    """Return how far the rise and the fall have come; the first batch of a rise is not wasted on 0."""
    n_rising = round(warmup * n_batches)
    if index < n_rising:
        return (index + 1) / (n_rising + 1), 0.0
    return 1.0, (index - n_rising) / max(1, n_batches - n_rising)
