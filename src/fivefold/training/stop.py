"""Early stopping (Prechelt, 1998): end when held-out loss no longer falls, and keep the best weights."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.func import functional_call

from fivefold.core.data import Batch, Inputs
from fivefold.core.errors import BadInput
from fivefold.core.loss import Loss
from fivefold.training.average import Weights

CHUNK = 1024  # examples at a time


@dataclass(frozen=True, kw_only=True)
class EarlyStop:
    """When to stop.

    Attributes:
        valid: Examples that are not trained on.
        every: Batches between two measurements; the end is always measured.
        patience: Measurements in a row without a new best before training ends.
        loss: What is measured; by default the loss that is trained.
    """

    valid: Batch
    every: int
    patience: int = 5
    loss: Loss | None = None

    def __post_init__(self) -> None:
        if not self.valid.size:
            raise BadInput(
                "Early stopping needs validation examples, and there are none.",
                mend="Give the validation split a share, or leave patience out.",
            )

    def measure(self, net: nn.Module, weights: Weights, loss: Loss) -> float:
        """Return the mean held-out loss of `net` with `weights`."""
        net.eval()
        device = next(iter(weights.values())).device
        with torch.no_grad():
            total = sum(
                float(_total(net, weights, self._rows(i).to(device), self.loss or loss))
                for i in range(0, self.valid.size, CHUNK)
            )
        net.train()
        return total / self.valid.size

    def _rows(self, start: int) -> Batch:
        return self.valid.take(slice(start, start + CHUNK))


def _total(net: nn.Module, weights: Weights, batch: Batch, loss: Loss) -> torch.Tensor:
    def forward(x: Inputs) -> torch.Tensor:
        return functional_call(net, weights, (x,))

    return loss(forward, batch).double().sum()
