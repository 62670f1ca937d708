"""Faithfulness correlation (Bhatt, Weller and Moura, 2020, arXiv 2005.00631)."""

import torch
from jaxtyping import Float
from torch import Tensor

FLAT = 1e-12  # a spread below this, as a share of the largest value, is rounding


def pearson(a: Float[Tensor, "rows sets"], b: Float[Tensor, "rows sets"]) -> Float[Tensor, " rows"]:
    """Return the correlation of each row of claims `a` with what is so, `b`.

    Claims that are all the same say nothing: 0. Where `b` never changes there is nothing to say: NaN.
    """
    first, second = _centred(a), _centred(b)
    length = (first.square().sum(1) * second.square().sum(1)).sqrt()
    found = (first * second).sum(1) / length.clamp(min=1e-300)
    found = torch.where((first == 0).all(1), 0.0, found.clamp(-1, 1))
    return found.masked_fill((second == 0).all(1), torch.nan)


def _centred(values: Tensor) -> Float[Tensor, "rows sets"]:
    values = values.double()
    away = values - values.mean(1, keepdim=True)
    is_flat = away.abs().amax(1) <= FLAT * values.abs().amax(1)
    return away.masked_fill(is_flat[:, None], 0.0)
