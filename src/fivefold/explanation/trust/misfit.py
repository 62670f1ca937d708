"""Infidelity (Yeh, Hsieh, Suggala, Inouye and Ravikumar, 2019, arXiv 1901.09392)."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class Misfit(NamedTuple):
    """Mean squared error of what attributions claim for each row, and of claiming nothing at all."""

    error: Float[Tensor, " rows"]
    nothing: Float[Tensor, " rows"]


def misfit(
    claim: Float[Tensor, "rows sets"], fall: Float[Tensor, "rows sets"], *, is_scaled: bool = False
) -> Misfit:
    """Return the infidelity of each row.

    Args:
        claim: Sum of the attributions of what is hidden.
        fall: How far the answer falls.
        is_scaled: Whether to stretch each row's claims by the one factor that suits them best, for
            explainers whose values do not add up to anything.
    """
    if is_scaled:
        square = claim.square().sum(1, keepdim=True).clamp(min=1e-300)
        claim = claim * ((claim * fall).sum(1, keepdim=True) / square)
    return Misfit((claim - fall).square().mean(1), fall.square().mean(1))
