"""How columns depend on one another: a correlation matrix that few rows do not distort (Schaefer and Strimmer, 2005)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

NUGGET = 1e-9  # keeps columns that repeat one another from dividing by zero


def correlation(
    points: Float[Tensor, "rows columns"], shrinkage: float | None
) -> Float[Tensor, "columns columns"]:
    """Return the correlations of standardised columns, pulled towards none.

    Args:
        points: Rows whose columns have mean 0 and mean square 1; a column of zeros depends on nothing.
        shrinkage: How far they are pulled, 0 to 1; by default as far as their sampling error asks for.
    """
    n, d = points.shape
    raw = points.T @ points / n
    if shrinkage is None:
        shrinkage = _needed(points, raw)
    off = 1 - torch.eye(d, dtype=points.dtype)
    return (1 - shrinkage) * raw * off + torch.eye(d, dtype=points.dtype)


def pull(
    corr: Float[Tensor, "columns columns"], kept: Bool[Tensor, "patterns columns"]
) -> Float[Tensor, "patterns columns columns"]:
    """Return, for each set of known columns, the matrix that turns what they are away into what all are.

    A known column keeps its value, a hidden one gets its regression on the known ones: the columns of the
    matrix that belong to hidden ones are 0.
    """
    known = kept.to(corr.dtype)
    both = known[:, :, None] * known[:, None]
    eye = torch.eye(len(corr), dtype=corr.dtype)
    inside = corr * both + torch.diag_embed(1 - known) + NUGGET * eye
    return torch.linalg.solve(inside, known[:, :, None] * corr).transpose(1, 2)


def _needed(points: Tensor, raw: Tensor) -> float:
    """Return the share of shrinkage that minimises the expected squared error of the correlations."""
    n, d = points.shape
    off = ~torch.eye(d).bool()
    square = (points**2).T @ (points**2) / n - raw**2  # variance of each product
    noise, signal = float((square[off] / (n - 1)).sum()), float((raw[off] ** 2).sum())
    return min(1.0, noise / signal) if signal > 0 else 1.0
