"""How sure a model is of the truth, on a scale where it is nearly normal (Carlini et al., 2022)."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from fivefold.core.task import Task

LEAST_SPREAD = 1e-6


def confidence(output: Float[Tensor, "... output"], y: Tensor, task: Task) -> Float[Tensor, "..."]:
    """Return how sure a model is of the truth.

    Classification: the logit of the true class's probability, computed from logits so that it never
    saturates. Regression: minus the squared error.
    """
    output = output.double()
    if not task.is_classification:
        return -((output[..., 0] - y.double()) ** 2)
    index = y.expand(output.shape[:-1])[..., None]
    true = output.gather(-1, index)[..., 0]
    rest = output.scatter(-1, index, -torch.inf).logsumexp(-1)
    return true - rest


def log_likelihood(
    sure: Float[Tensor, "... row"], outside: Float[Tensor, "..."], task: Task
) -> Float[Tensor, "... row"]:
    """Return the logarithm of the probability that a model gives to the truth, at most 0.

    Regression has none; a normal error stands in, as wide as errors are `outside`, on rows that shadow
    models were not trained on.
    """
    if task.is_classification:
        return F.logsigmoid(sure)
    return sure / (2 * (-outside).mean().clamp(min=LEAST_SPREAD))


class Spread:
    """Mean and sum of squares around it of each row, over some of the shadows."""

    def __init__(
        self, sure: Float[Tensor, "shadow row"], chosen: Bool[Tensor, "shadow row"]
    ) -> None:
        self.count = chosen.sum(0)
        self.mean = sure.masked_fill(~chosen, 0.0).sum(0) / self.count
        left = (sure - self.mean).masked_fill(~chosen, 0.0)
        self.squares = left.square().sum(0)  # each row's mean took one degree of freedom
        self.freedom = self.count - 1

    @property
    def pooled(self) -> Float[Tensor, ""]:
        """One variance for all rows."""
        return (self.squares.sum() / self.freedom.sum().clamp(min=1)).clamp(min=LEAST_SPREAD**2)

    @property
    def own(self) -> Float[Tensor, " row"]:
        """The variance of each row by itself."""
        return (self.squares / self.freedom.clamp(min=1)).clamp(min=LEAST_SPREAD**2)
