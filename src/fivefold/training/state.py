"""Everything that changes while a network is trained, in one place, so that it can be kept."""

from dataclasses import dataclass
from math import inf

import torch
from torch import nn

from fivefold.core.errors import BadInput
from fivefold.training.average import Average, Weights
from fivefold.training.optimizer import Optimizer, Stepper


@dataclass
class State:
    """A training run between two batches.

    Attributes:
        net: The network.
        stepper: Moves its weights.
        index: Number of batches that are done.
        mean: Average of the weights; empty if none is kept.
        best: Best weights by held-out loss; empty if none was measured.
        best_loss: Their held-out loss.
        waited: Measurements since then.
        is_done: Whether training has ended.
    """

    net: nn.Module
    stepper: Stepper
    index: int = 0
    mean: Weights | None = None
    best: Weights | None = None
    best_loss: float = inf
    waited: int = 0
    is_done: bool = False

    @classmethod
    def start(cls, net: nn.Module, optimizer: Optimizer, average: Average | None) -> "State":
        """Return the state before the first batch.

        Raises:
            BadInput: All weights are frozen, or there are none.
        """
        weights = [p for p in net.parameters() if p.requires_grad]
        if not weights:
            raise BadInput(
                "There is nothing to train in this network: it has no weights that may move.",
                mend="Train before quantising (efficiency.Quantize), or unfreeze some weights.",
            )
        stepper = optimizer.over(weights)
        for group in stepper.param_groups:
            group["initial_lr"] = group["lr"]
        return cls(net, stepper, mean=copied(net) if average else None)

    def result(self) -> Weights:
        """Return the weights that training would return if it ended now."""
        return self.mean if self.mean is not None else weights_of(self.net)

    def judge(self, loss: float) -> None:
        """Take note of a held-out loss."""
        if loss < self.best_loss:
            self.best_loss, self.waited = loss, 0
            self.best = {k: v.clone() for k, v in self.result().items()}
        else:
            self.waited += 1

    def end(self) -> None:
        """Put the resulting weights into the network."""
        self.is_done = True
        final = self.best if self.best is not None else self.mean
        if final is not None:
            fill(self.net, final)


def weights_of(net: nn.Module) -> Weights:
    """Return the weights and buffers of `net`, shared and detached."""
    return {k: v.detach() for k, v in net.state_dict().items()}


def copied(net: nn.Module) -> Weights:
    """Return a copy of the weights and buffers of `net`."""
    return {k: v.clone() for k, v in weights_of(net).items()}


@torch.no_grad()
def fill(net: nn.Module, weights: Weights) -> None:
    """Copy `weights` into `net`, in place."""
    for name, weight in net.state_dict().items():
        weight.copy_(weights[name])
