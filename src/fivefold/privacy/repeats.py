"""How often a private run is repeated, drawn in secret: truncated negative binomial or Poisson (Papernot and Steinke, 2022).

A number that is known beforehand would cost far more: the best of a known number of runs gives away more
of its data the more there are.
"""

from dataclasses import dataclass
from math import exp, expm1, inf, log
from typing import Literal

import torch
from torch import Generator

from fivefold.core.limits import NonNegative
from fivefold.privacy.accounting import Repeated

MOST_MEAN = 1e4
HALVINGS = 200


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """A random number of runs.

    Attributes:
        mean: Mean number of runs, at least 1.
        shape: "poisson", which may be no run at all; else the shape of a negative binomial without 0: 1 is
            geometric, 0 logarithmic. Small shapes cost less and draw more extreme numbers.
    """

    mean: float = 4.0
    shape: NonNegative | Literal["poisson"] = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.mean <= MOST_MEAN:
            raise ValueError(f"Repeats need a mean between 1 and {MOST_MEAN:.0f}.")

    def draw(self, rng: Generator) -> int:
        """Return a number of runs."""
        left = float(torch.rand((), generator=rng, dtype=torch.float64))
        k, chance = self._first()
        while left >= chance > 0 and k < 100 * MOST_MEAN:
            left -= chance
            k, chance = k + 1, chance * self._ratio(k)
        return k

    def cost(self) -> Repeated:
        """Return what the accountant needs to know."""
        return Repeated(self.mean, inf if self.shape == "poisson" else float(self.shape))

    def _first(self) -> tuple[int, float]:
        """Return the smallest number and its probability."""
        if self.shape == "poisson":
            return 0, exp(-self.mean)
        stop = stop_of(self.mean, self.shape)
        if stop == 1:
            return 1, 1.0
        if self.shape == 0:
            return 1, (1 - stop) / -log(stop)
        return 1, self.shape * (1 - stop) / expm1(-self.shape * log(stop))

    def _ratio(self, k: int) -> float:
        """Return how much likelier `k` + 1 is than `k`."""
        if self.shape == "poisson":
            return self.mean / (k + 1)
        return (1 - stop_of(self.mean, self.shape)) * (k + self.shape) / (k + 1)


def stop_of(mean: float, shape: float) -> float:
    """Return the parameter gamma of a truncated negative binomial that has this mean."""
    low, high = 0.0, 1.0  # the mean falls from infinity to 1
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if mean_of(middle, shape) > mean else (low, middle)
    return high


def mean_of(stop: float, shape: float) -> float:
    """Return the mean of a truncated negative binomial."""
    if stop <= 0:
        return inf
    if stop >= 1:
        return 1.0
    if shape == 0:
        return (1 - stop) / (stop * -log(stop))
    return shape * (1 - stop) / (stop * -expm1(shape * log(stop)))
