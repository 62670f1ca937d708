"""Nested integration on a line (Clenshaw and Curtis, 1960): twice the intervals use every point again."""

from functools import lru_cache
from math import cos, pi

import torch
from jaxtyping import Float, Int
from torch import Tensor


def places(intervals: int) -> Float[Tensor, " points"]:
    """Return the `intervals` + 1 points in [0, 1], in order; every other one is of half as many intervals."""
    angle = torch.arange(intervals + 1, dtype=torch.float64) * (pi / intervals)
    return (1 - angle.cos()) / 2


@lru_cache(maxsize=32)
def weights(intervals: int) -> Float[Tensor, " points"]:
    """Return the weight of each point; they sum to 1 and integrate polynomials of degree `intervals` exactly.

    `intervals` is a power of two.
    """
    if intervals == 1:
        return torch.tensor([0.5, 0.5], dtype=torch.float64)
    found = [_weight(k, intervals) / 2 for k in range(intervals + 1)]
    return torch.tensor(found, dtype=torch.float64)


def _weight(k: int, n: int) -> float:
    """Return the weight on [-1, 1] of point `k` (Waldvogel, 2006, equation 2.4)."""
    if k in (0, n):
        return 1 / (n * n - 1)
    total = 1.0 - sum(2 * cos(2 * j * k * pi / n) / (4 * j * j - 1) for j in range(1, n // 2))
    return 2 / n * (total - cos(k * pi) / (n * n - 1))


def added(intervals: int, first: int) -> Int[Tensor, " points"]:
    """Return which of the points are new, compared with half as many intervals; all for the `first` rule."""
    every = torch.arange(intervals + 1)
    return every if intervals == first else every[1::2]
