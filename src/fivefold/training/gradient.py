"""Ways to turn a batch of losses into `.grad`."""

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor, nn

from fivefold.core.data import Batch
from fivefold.core.loss import Loss

Gradient: TypeAlias = Callable[[nn.Module, Batch, Loss], Tensor]


def mean(net: nn.Module, batch: Batch, loss: Loss) -> Tensor:
    """Ordinary backpropagation of the mean loss; returns that mean, detached."""
    value = loss(net, batch).mean()
    value.backward()
    return value.detach()
