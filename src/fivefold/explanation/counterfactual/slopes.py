"""Changes along the gradient, for networks that we hold (Wachter et al., 2018)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fivefold.explanation.counterfactual.hunt import Hunt
from fivefold.models.torch import device_of

TOGETHER = (1, 2, 3, 5)  # columns that move at once; then all of them
SINGLES = 4
STEPS = (0.6, 1.0, 1.3, 2.0, 4.0)  # of the length that would suffice if the network were linear


def along_gradient(
    hunt: Hunt, net: nn.Module, start: Float[Tensor, "rows columns"]
) -> Float[Tensor, "rows some columns"]:
    """Return steps from `start` towards the goal, along the columns that matter most."""
    excess, slope = _slope(hunt, net, start)
    unit = torch.where(hunt.rules.is_category, 0.0, hunt.ruler.unit)
    slope = torch.where(hunt.rules.is_free, slope * unit, 0.0)
    at_end = torch.where(slope > 0, start >= hunt.rules.high, start <= hunt.rules.low)
    slope = slope.masked_fill(at_end, 0.0)
    order = slope.abs().argsort(dim=1, descending=True, stable=True)
    place = order.argsort(1)
    directions = [slope.sign() * (place < k) for k in TOGETHER if k <= slope.shape[1]]
    directions += [slope.sign() * (place == k) for k in range(1, min(SINGLES, slope.shape[1]))]
    directions += [slope / slope.abs().amax(1, keepdim=True).clamp(min=1e-30)]
    way = torch.stack(directions, dim=1)  # (rows, directions, columns)
    gain = (way * slope[:, None]).sum(-1).clamp(min=1e-30)
    needed = ((-excess).clamp(min=1e-3)[:, None].float() / gain).clamp(max=1e6)
    length = needed[..., None] * torch.tensor(STEPS)
    moved = start[:, None, None] + length[..., None] * (way * unit)[:, :, None]
    return moved.flatten(1, 2)


def _slope(
    hunt: Hunt, net: nn.Module, start: Float[Tensor, "rows columns"]
) -> tuple[Float[Tensor, " rows"], Float[Tensor, "rows columns"]]:
    """Return how far each row succeeds, and the gradient of that; 0 where there is none."""
    with torch.enable_grad():
        inside = start.detach().clone().requires_grad_()
        answers = net(inside.to(device_of(net))).cpu()
        excess = hunt.goal.excess(answers[:, None])[:, 0]
        if not excess.requires_grad:
            return excess.detach(), torch.zeros_like(start)
        slope = torch.autograd.grad(
            excess.sum(), inside, allow_unused=True, materialize_grads=True
        )[0]
    return excess.detach().nan_to_num(nan=-1.0, neginf=-1.0), slope.nan_to_num(0.0, 0.0, 0.0)
