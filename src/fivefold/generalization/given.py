"""What the probes of this pillar ask of their inputs before they begin."""

import torch
from torch import Generator, Tensor

from fivefold.core.data import Batch, Inputs
from fivefold.core.errors import NotMeasurable
from fivefold.core.task import Task


def tensor_of(x: Inputs, wanted_by: object) -> Tensor:
    """Return `x`, known to be one tensor.

    Raises:
        NotMeasurable: It is a mapping, such as token ids and masks.
    """
    if isinstance(x, Tensor):
        return x
    raise NotMeasurable(
        "{name} changes pixels or columns, and these inputs are something else.",
        name=type(wanted_by).__name__,
    )


def classes_of(task: Task, wanted_by: object) -> tuple[str, ...]:
    """Return the classes that are told apart.

    Raises:
        NotMeasurable: The task has none.
    """
    if task.is_classification:
        return task.classes
    raise NotMeasurable(
        "{name} needs classes, and {target} is a number.",
        name=type(wanted_by).__name__,
        target=task.target,
    )


def at_most(data: Batch, n: int, rng: Generator) -> Batch:
    """Return all examples if there are no more than `n`, else `n` of them drawn without repetition."""
    if data.size <= n:
        return data
    return data.take(torch.randperm(data.size, generator=rng)[:n])


def majority_share(y: Tensor) -> float:
    """Return the accuracy of always answering the commonest class."""
    return float(y.bincount().max()) / len(y)
