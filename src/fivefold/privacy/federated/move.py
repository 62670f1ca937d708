"""What an engine is asked to do: one step of many clients."""

from typing import NamedTuple, Protocol

from jaxtyping import Float
from torch import Tensor

from fivefold.core.data import Inputs


class Move(NamedTuple):
    """Batches of all clients, the learning rate, and what is added to each gradient (`pull`).

    A gradient is the sum over a batch of `share` times the gradient of the loss of one example.
    """

    x: Inputs
    y: Tensor
    share: Float[Tensor, "client batch"]
    lr: float
    pull: Float[Tensor, "client weight"] | None


class Engine(Protocol):
    """Moves the weights of many clients by a step each."""

    def move(self, weights: Float[Tensor, "client weight"], batch: Move) -> None:
        """Take one step, in place."""
        ...
