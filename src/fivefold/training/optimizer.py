"""Optimizers, as parts that a recipe can name."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import nn


@runtime_checkable
class Optimizer(Protocol):
    """Makes a fresh torch optimizer for some weights."""

    def over(self, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return an optimizer of `weights`."""
        ...


@dataclass(frozen=True, kw_only=True)
class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019).

    Attributes:
        lr: Learning rate.
        weight_decay: Decay per step, in units of `lr`.
    """

    lr: float = 1e-3
    weight_decay: float = 0.01

    def over(self, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return the torch optimizer."""
        return torch.optim.AdamW(weights, lr=self.lr, weight_decay=self.weight_decay)
