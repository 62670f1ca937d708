"""The gradient of what a network answers to each of a few rows, by plain differentiation.

It is the auditor's own way to a gradient, and shares no code with the engine that it judges.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

MOST_NUMBERS = 2**26  # in the gradients of all rows: 256 MiB
RIDGE = 1e-4  # of a squared gradient of length one


def slopes(
    net: nn.Module, told: Callable[[], Float[Tensor, " row"]]
) -> Float[Tensor, "row number"]:
    """Return the gradient of each number that `told` returns, over all trainable weights."""
    weights, values = trainable(net), told()
    each = torch.eye(len(values), dtype=values.dtype, device=values.device)
    try:
        parts = _parts(values, weights, each, is_grads_batched=True)
    except RuntimeError:  # a layer that cannot go back for several rows at once
        rows = [_parts(values, weights, one, is_grads_batched=False) for one in each]
        parts = [torch.stack(column) for column in zip(*rows, strict=True)]
    return torch.cat([p.detach().flatten(1) for p in parts], 1).double()


def shares(
    released: Float[Tensor, " number"], gradients: Float[Tensor, "row number"]
) -> Float[Tensor, " row"]:
    """Return how much of each row's direction is in a released sum, with that of the other rows taken out.

    Ridge regression on gradients brought to length one (Hoerl and Kennard, 1970): rows that look alike to
    the network would else be taken for one another.
    """
    unit = gradients / gradients.norm(dim=1, keepdim=True).clamp(min=1e-12)
    alike = unit @ unit.T
    alike.diagonal().add_(RIDGE)
    return torch.linalg.solve(alike, unit @ released)


def trainable(net: nn.Module) -> list[nn.Parameter]:
    """Return the weights that training moves, in order."""
    return [w for w in net.parameters() if w.requires_grad]


def size_of(net: nn.Module) -> int:
    """Return how many numbers training moves."""
    return sum(w.numel() for w in trainable(net))


def _parts(
    values: Tensor, weights: Sequence[Tensor], each: Tensor, *, is_grads_batched: bool
) -> Sequence[Tensor]:
    return torch.autograd.grad(
        values,
        weights,
        each,
        retain_graph=True,
        allow_unused=True,
        materialize_grads=True,
        is_grads_batched=is_grads_batched,
    )
