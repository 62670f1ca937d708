"""Max-sensitivity (Yeh, Hsieh, Suggala, Inouye and Ravikumar, 2019, arXiv 1901.09392)."""

from jaxtyping import Float
from torch import Tensor


def relative_change(
    plain: Float[Tensor, "... rows features"], other: Float[Tensor, "... rows features"]
) -> Float[Tensor, "... rows"]:
    """Return the length of the difference, as a share of that of `plain`."""
    return (other - plain).norm(dim=-1) / plain.norm(dim=-1).clamp(min=1e-9)


def largest_change(
    plain: Float[Tensor, "rows features"], others: Float[Tensor, "changes rows features"]
) -> Float[Tensor, " rows"]:
    """Return how far the attributions of each row move under the worst of its changes."""
    return relative_change(plain, others).amax(0)
