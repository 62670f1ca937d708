"""How alike two rankings of features are: all of them (Spearman, 1904), and the first few."""

import torch
from jaxtyping import Float
from torch import Tensor


def rank_correlation(
    a: Float[Tensor, "rows features"], b: Float[Tensor, "rows features"]
) -> Float[Tensor, " rows"]:
    """Return Spearman's correlation of each row; ties share a rank.

    Of two rows without any order, 1; of one with and one without, 0.
    """
    first, second = _centred_ranks(a), _centred_ranks(b)
    length = ((first**2).sum(1) * (second**2).sum(1)).sqrt()
    both_flat = (first == 0).all(1) & (second == 0).all(1)
    found = (first * second).sum(1) / length.clamp(min=1)
    return torch.where(both_flat, 1.0, found).clamp(-1, 1)


def top_overlap(
    a: Float[Tensor, "rows features"], b: Float[Tensor, "rows features"], k: int
) -> Float[Tensor, " rows"]:
    """Return the share of the `k` largest absolute values of one row that are also the other's."""
    inside = [torch.zeros(v.shape).scatter(1, _top(v, k), 1.0) for v in (a, b)]
    return (inside[0] * inside[1]).sum(1).double() / k


def _top(values: Tensor, k: int) -> Tensor:
    return values.abs().sort(dim=1, descending=True, stable=True).indices[:, :k]


def _centred_ranks(values: Tensor) -> Tensor:
    """Return how many are below minus how many are above each value: twice the centred midrank."""
    ordered, values = values.sort(1).values.contiguous(), values.contiguous()
    below = torch.searchsorted(ordered, values)
    upto = torch.searchsorted(ordered, values, right=True)
    return (below + upto - values.shape[1]).double()
