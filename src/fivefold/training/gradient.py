"""Ways to turn a batch of losses into `.grad`."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

from fivefold.core.data import Batch
from fivefold.core.errors import BadInput
from fivefold.core.loss import Loss

Gradient: TypeAlias = Callable[[nn.Module, Batch, Loss], Tensor]


def mean(net: nn.Module, batch: Batch, loss: Loss) -> Tensor:
    """Ordinary backpropagation of the mean loss; returns that mean, detached.

    A batch without examples has the loss 0 and moves nothing.

    Raises:
        BadInput: The loss is not a finite number.
    """
    if not batch.size:
        return torch.zeros((), device=batch.y.device)
    value = loss(net, batch).mean()
    if not value.isfinite():
        raise not_finite()
    value.backward()
    return value.detach()


def not_finite() -> BadInput:
    """Return the error for training that has blown up."""
    return BadInput(
        "Training has left the finite numbers.",
        mend="Lower the optimizer's lr (by ten to begin with), or give the columns ranges and scales that fit the data.",
    )
