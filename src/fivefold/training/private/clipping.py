"""How much of each example's gradient may enter the sum."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.limits import Positive

BELOW_ONE = 1 - 1e-6  # rounding must not lift a clipped gradient above the norm that was paid for
BAND = 0.02  # width around the norm, as a share of it, in which an example counts in part


@runtime_checkable
class Clipping(Protocol):
    """Finds factors that bring the gradient of every example to a norm of at most `clip_norm`."""

    def factors(
        self, squares: Mapping[str, Float[Tensor, " batch"]], clip_norm: float
    ) -> Mapping[str, Float[Tensor, " batch"]]:
        """Return the factor of each example by weight, from the squared norms by weight."""
        ...


@dataclass(frozen=True, kw_only=True)
class Flat:
    """One bound for the gradient as a whole (Abadi et al., 2016)."""

    def factors(self, squares: Mapping[str, Tensor], clip_norm: float) -> dict[str, Tensor]:
        """Return the same factor for all weights of an example."""
        norm = torch.stack([*squares.values()]).sum(0).sqrt()
        return dict.fromkeys(squares, (clip_norm * BELOW_ONE / norm).clamp(max=1.0))


@dataclass(frozen=True, kw_only=True)
class PerLayer:
    """A bound for each layer, all equal; their squares add up to that of the whole (McMahan et al., 2018)."""

    def factors(self, squares: Mapping[str, Tensor], clip_norm: float) -> dict[str, Tensor]:
        """Return the same factor for all weights of a layer."""
        layers: dict[str, dict[str, Tensor]] = {}
        for name, square in squares.items():
            layers.setdefault(name.rpartition(".")[0], {})[name] = square
        share = clip_norm / sqrt(len(layers))
        return {k: v for layer in layers.values() for k, v in Flat().factors(layer, share).items()}


@dataclass(frozen=True, kw_only=True)
class Automatic:
    """Every gradient is scaled to nearly the same norm, so that the bound needs no tuning (Bu et al., 2023).

    Attributes:
        stability: Norm below which a gradient keeps being small.
    """

    stability: Positive = 0.01

    def factors(self, squares: Mapping[str, Tensor], clip_norm: float) -> dict[str, Tensor]:
        """Return the same factor for all weights of an example."""
        norm = torch.stack([*squares.values()]).sum(0).sqrt()
        return dict.fromkeys(squares, clip_norm * BELOW_ONE / (norm + self.stability))


def within(
    squares: Mapping[str, Float[Tensor, " batch"]], clip_norm: float
) -> Float[Tensor, " batch"]:
    """Return 1 for each example whose norm is at most `clip_norm` and 0 for the others.

    Close to it the number falls evenly from 1 to 0. A jump would let the rounding of a norm, which depends a
    little on the other examples of a batch, change the count by more than one example may.
    """
    norm = torch.stack([*squares.values()]).sum(0).sqrt()
    return (0.5 + (1 - norm / clip_norm) / BAND).clamp(0, 1)
