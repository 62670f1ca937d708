"""The score that training examples move, and how hard each of them pulls at its own."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fivefold.core.task import Task
from fivefold.core.text import Text, text
from fivefold.explanation.output import unit


def score(
    outputs: Float[Tensor, "*batch outputs"], y: Tensor, task: Task
) -> Float[Tensor, "*batch"]:
    """Return the log-odds of class `y`, or the number; differentiable, and exact for sure answers."""
    if not task.is_classification:
        return outputs[..., 0]
    own = outputs.gather(-1, y[..., None])
    never = torch.full_like(own, -torch.inf)
    return own[..., 0] - outputs.scatter(-1, y[..., None], never).logsumexp(-1)


def pull(outputs: Float[Tensor, "batch outputs"], y: Tensor, task: Task) -> Float[Tensor, " batch"]:
    """Return minus the slope of each example's training loss over its score.

    The loss is a function of the score alone: cross-entropy is log(1 + exp(-log-odds)), so its gradient
    in the weights is the gradient of the score times this.
    """
    own = score(outputs.double(), y, task)
    return torch.sigmoid(-own) if task.is_classification else 2 * (y.double() - own)


def score_slope(
    outputs: Float[Tensor, "batch outputs"], y: Int[Tensor, " batch"], task: Task
) -> Float[Tensor, "batch outputs"]:
    """Return the gradient of each score over the outputs."""
    if not task.is_classification:
        return torch.ones_like(outputs)
    rest = outputs.scatter(-1, y[:, None], -torch.inf).softmax(-1)
    return torch.zeros_like(outputs).scatter(-1, y[:, None], 1.0) - rest


def unit_of(task: Task, *, is_relative: bool = False) -> Text:
    """Return what one unit of an influence is; `is_relative` if it is known up to a factor only."""
    if not is_relative:
        return text("{unit} of the class asked about", unit=str(unit(task))) if task.is_classification else unit(task)  # fmt: skip
    return text("influence, up to a common factor")
