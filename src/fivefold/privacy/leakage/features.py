"""What an attacker computes of answers and explanations (Shokri, Strobel and Zick, 2021)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fivefold.core.task import Task
from fivefold.privacy.attacks.signal import confidence

ROUNDING = 1e-9  # differences from the mean below this share of the largest value are none


def of_answer(
    output: Float[Tensor, "rows outputs"], y: Tensor, task: Task
) -> Float[Tensor, "kind rows"]:
    """Return how sure an answer is of the truth and of the class it names, as log-odds and as probabilities.

    So many, so that explanations earn nothing by repeating on another scale how sure an answer is. Of a
    number: minus its squared error, and the number.
    """
    truth = confidence(output, y, task)
    if not task.is_classification:
        return torch.stack([truth, output[:, 0].double()])
    chance = output.double().softmax(1)
    doubt = 1 - chance.square().sum(1)
    return torch.stack([truth, confidence(output, output.argmax(1), task), truth.sigmoid(), doubt])


def of_explanation(
    values: Float[Tensor, "rows features"],
) -> Float[Tensor, "4 rows"]:
    """Return sum of absolute values, variance, entropy of their shares, and largest absolute value."""
    size = values.abs()
    total = size.sum(1)
    share = size / total.clamp(min=torch.finfo(size.dtype).tiny)[:, None]
    entropy = -torch.xlogy(share, share).sum(1)
    return torch.stack([total, values.var(1, correction=0), entropy, size.amax(1)])


def seen(
    values: Float[Tensor, "feature model row"], inside: Bool[Tensor, "model row"]
) -> Float[Tensor, "both model row"]:
    """Return each feature as it is and minus its mean over models that never saw the row, as normal scores."""
    return normal_scores(torch.cat([values, calibrated(values, inside)]))


def calibrated(
    values: Float[Tensor, "feature model row"], inside: Bool[Tensor, "model row"]
) -> Float[Tensor, "feature model row"]:
    """Return how far each value is above the mean of the other models that were not trained on the row.

    The first model is the attacked one. It is part of no mean, whatever `inside` says of it.
    """
    outside = (~inside).double()
    outside[0] = 0.0
    total = (values * outside).sum(1, keepdim=True) - values * outside
    left = values - total / (outside.sum(0) - outside)
    least = ROUNDING * values.abs().amax((1, 2), keepdim=True)
    return torch.where(left.abs() <= least, 0.0, left)


def normal_scores(values: Float[Tensor, "... row"]) -> Float[Tensor, "... row"]:
    """Return the normal quantile of each value's rank among all rows of its model, equal ones alike.

    Ranks, because the attacked model was trained on more rows than a shadow and may be surer of all.
    """
    values = values.contiguous()
    ordered = values.sort(-1).values
    below = torch.searchsorted(ordered, values, right=False)
    up_to = torch.searchsorted(ordered, values, right=True)
    return torch.special.ndtri((below + up_to).double() / (2 * values.shape[-1]))
