"""A loss returns one number per example, so that any gradient rule can use it."""

from collections.abc import Callable
from typing import TypeAlias

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from fivefold.core.data import Batch, Inputs
from fivefold.core.task import Task

Forward: TypeAlias = Callable[[Inputs], Tensor]
Loss: TypeAlias = Callable[[Forward, Batch], Float[Tensor, " batch"]]


def cross_entropy(forward: Forward, batch: Batch) -> Float[Tensor, " batch"]:
    """Return the negative log-likelihood of each target."""
    return F.cross_entropy(forward(batch.x), batch.y, reduction="none")


def squared_error(forward: Forward, batch: Batch) -> Float[Tensor, " batch"]:
    """Return the squared error of each prediction."""
    return (forward(batch.x)[:, 0] - batch.y) ** 2


def loss_of(task: Task) -> Loss:
    """Return the loss that belongs to a task."""
    return cross_entropy if task.is_classification else squared_error
