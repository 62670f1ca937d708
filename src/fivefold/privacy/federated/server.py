"""How the server moves by what its clients found: adaptive federated optimisation (Reddi et al., 2021)."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple, Protocol, runtime_checkable

import torch
from annotated_types import Ge, Lt
from jaxtyping import Float
from torch import Tensor

from fivefold.core.limits import Positive

Decay = Annotated[float, Ge(0), Lt(1)]


class Moments(NamedTuple):
    """Running means of updates and of their squares."""

    mean: Tensor
    square: Tensor


@runtime_checkable
class Server(Protocol):
    """A rule that moves the server."""

    def start(self, weights: Float[Tensor, " weight"]) -> Moments:
        """Return what is remembered before the first round."""
        ...

    def move(
        self, weights: Float[Tensor, " weight"], update: Float[Tensor, " weight"], past: Moments
    ) -> tuple[Tensor, Moments]:
        """Return the new weights, and what is remembered."""
        ...


@dataclass(frozen=True, kw_only=True)
class Plain:
    """Take the update as it is.

    Attributes:
        lr: What it is multiplied with.
    """

    lr: Positive = 1.0

    def start(self, weights: Float[Tensor, " weight"]) -> Moments:
        """Return what is remembered before the first round: nothing."""
        return Moments(weights[:0], weights[:0])

    def move(
        self, weights: Float[Tensor, " weight"], update: Float[Tensor, " weight"], past: Moments
    ) -> tuple[Tensor, Moments]:
        """Return the new weights, and what is remembered."""
        return weights.add(update, alpha=self.lr), past


@dataclass(frozen=True, kw_only=True)
class FedAdam:
    """Adam on the updates.

    Attributes:
        lr: Learning rate of the server.
        beta: Decay of the mean of updates.
        beta_square: Decay of the mean of their squares, or how slowly they are followed.
        tau: Added to the root of the squares; small values adapt more.
    """

    lr: Positive = 0.03
    beta: Decay = 0.9
    beta_square: Decay = 0.99
    tau: Positive = 1e-3

    def start(self, weights: Float[Tensor, " weight"]) -> Moments:
        """Return what is remembered before the first round."""
        return Moments(torch.zeros_like(weights), torch.full_like(weights, self.tau**2))

    def move(
        self, weights: Float[Tensor, " weight"], update: Float[Tensor, " weight"], past: Moments
    ) -> tuple[Tensor, Moments]:
        """Return the new weights, and what is remembered."""
        mean = self.beta * past.mean + (1 - self.beta) * update
        square = self._followed(past.square, update.square())
        return weights + self.lr * mean / (square.sqrt() + self.tau), Moments(mean, square)

    def _followed(self, square: Tensor, new: Tensor) -> Tensor:
        return square.lerp(new, 1 - self.beta_square)


@dataclass(frozen=True, kw_only=True)
class FedYogi(FedAdam):
    """Yogi on the updates: squares change by little at a time, however small they become."""

    def _followed(self, square: Tensor, new: Tensor) -> Tensor:
        return square - (1 - self.beta_square) * new * (square - new).sign()
