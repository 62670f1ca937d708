"""Averages of the weights over training."""

from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor

from fivefold.core.limits import Probability

Weights: TypeAlias = dict[str, Tensor]


@runtime_checkable
class Average(Protocol):
    """Keeps a mean of the weights, which is what training returns."""

    def update(self, mean: Weights, now: Weights, index: int) -> None:
        """Move `mean` towards `now` in place, after batch `index`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Ema:
    """Exponential moving average of the weights (Polyak and Juditsky, 1992).

    Attributes:
        decay: Share of the mean that is kept at each batch. Less is kept at first, so that the mean
            forgets where training began.
    """

    decay: Probability = 0.999

    @torch.no_grad()
    def update(self, mean: Weights, now: Weights, index: int) -> None:
        """Move `mean` towards `now`; counters are copied."""
        decay = min(self.decay, (1 + index) / (10 + index))
        for name, weight in now.items():
            if weight.is_floating_point():
                mean[name].lerp_(weight, 1 - decay)
            else:
                mean[name].copy_(weight)
