"""The likelihood-ratio attack (Carlini et al., 2022), online, with one variance for all examples."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fivefold.core.task import Task

LEAST_SPREAD = 1e-6


def confidence(output: Float[Tensor, "... output"], y: Tensor, task: Task) -> Float[Tensor, "..."]:
    """Return how sure a model is of the truth, on a scale where it is nearly normal.

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


def likelihood_ratio(
    target: Float[Tensor, " row"],
    shadow: Float[Tensor, "shadow row"],
    inside: Bool[Tensor, "shadow row"],
) -> Float[Tensor, " row"]:
    """Return the log-likelihood ratio of each row having been trained on.

    Means are each row's own, variances are pooled over rows: with few shadows per row a row's own
    variance is mostly noise (section VI of the paper).

    Args:
        target: The attacked model's confidence.
        shadow: Each shadow's confidence.
        inside: Whether the shadow was trained on the row; each row is inside and outside at least once.
    """
    return _log_normal(target, shadow, inside) - _log_normal(target, shadow, ~inside)


def _log_normal(
    target: Float[Tensor, " row"],
    shadow: Float[Tensor, "shadow row"],
    chosen: Bool[Tensor, "shadow row"],
) -> Float[Tensor, " row"]:
    count = chosen.sum(0)
    mean = shadow.masked_fill(~chosen, 0.0).sum(0) / count
    left = (shadow - mean).masked_fill(~chosen, 0.0)
    # each row's mean took one degree of freedom; with one shadow each there is none left
    freedom = max(int(chosen.sum()) - len(target), 1)
    spread = (left.square().sum() / freedom).sqrt().clamp(min=LEAST_SPREAD)
    return -0.5 * ((target - mean) / spread) ** 2 - spread.log()
