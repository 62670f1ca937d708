"""Logistic regression by Newton's method: few features, one answer, the same on every machine."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

RIDGE = 1e-3
MOST_STEPS, MOST_HALVINGS = 50, 30
STILL = 1e-10  # largest slope at the end


def fitted(x: Float[Tensor, "row feature"], y: Bool[Tensor, " row"]) -> Float[Tensor, " feature"]:
    """Return weights of the logarithmic odds of `y`, without a constant, which moves no order."""
    sign = torch.where(y, 1.0, -1.0).double()
    weight = x.new_zeros(x.shape[1])
    for _ in range(MOST_STEPS):
        chance = torch.sigmoid(-sign * (x @ weight))  # of the wrong answer
        slope = RIDGE * weight - x.T @ (sign * chance) / len(x)
        if float(slope.abs().max()) < STILL:
            break
        bend = (x.T * (chance * (1 - chance))) @ x / len(x)
        bend += RIDGE * torch.eye(len(weight), dtype=x.dtype)
        weight = _lower(x, sign, weight, torch.linalg.solve(bend, slope))
    return weight


def _lower(x: Tensor, sign: Tensor, weight: Tensor, step: Tensor) -> Tensor:
    """Return where the step leads, halved until the loss is no larger."""

    def loss(at: Tensor) -> float:
        return float(F.softplus(-sign * (x @ at)).mean() + RIDGE / 2 * at.square().sum())

    now = loss(weight)
    for _ in range(MOST_HALVINGS):
        if loss(weight - step) <= now:
            return weight - step
        step = step / 2
    return weight
