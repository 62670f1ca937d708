"""Weighted least squares for many rows, with standard errors that hold whatever the noise (MacKinnon and White, 1985)."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.interval import Z95

LEAST_RIDGE = 1e-10  # relative to the total weight: columns that are all alike share what they tell
FEWEST = 10  # samples that move a column, below which nobody knows how far its slope may be off


class Line(NamedTuple):
    """A line for each row and output; `error` is infinite where there are too few samples to judge by."""

    slope: Float[Tensor, "rows columns outputs"]
    intercept: Float[Tensor, "rows outputs"]
    error: Float[Tensor, "rows columns outputs"]


class Samples(NamedTuple):
    """What a line is fitted to. A first axis of 1 is shared by all rows.

    If they are paired, sample `i` and sample `i + half` were drawn together.
    """

    design: Float[Tensor, "rows samples columns"]
    weight: Float[Tensor, "rows samples"]
    is_paired: bool


class Found(NamedTuple):
    """The line of each row, and how well it describes the model there."""

    line: Line
    fit: Float[Tensor, "rows outputs"]


def joined(parts: Sequence[Found]) -> Found:
    """Return what was found for some rows after what was found for others."""
    line = Line(*(torch.cat(each) for each in zip(*(p.line for p in parts), strict=True)))
    return Found(line, torch.cat([p.fit for p in parts]))


def fitted(samples: Samples, scores: Float[Tensor, "rows samples outputs"], penalty: float) -> Line:
    """Return the line through the scores.

    Args:
        samples: Where the scores were taken.
        scores: What the line shall tell.
        penalty: Ridge penalty of the slopes, relative to the total weight; the intercept is free.
    """
    total = samples.weight.sum(1, keepdim=True)
    share = (samples.weight / total)[..., None]  # (rows, samples, 1)
    centre = (share * samples.design).sum(1, keepdim=True)
    away = samples.design - centre
    weighted = (share * away).mT  # (rows, columns, samples)
    ridge = max(penalty, LEAST_RIDGE) * torch.eye(away.shape[2], dtype=torch.float64)
    solver = torch.cholesky_solve(weighted, torch.linalg.cholesky(weighted @ away + ridge))
    mean = (share * scores).sum(1, keepdim=True)
    slope = solver @ scores
    residual = scores - mean - away @ slope
    leverage = share[..., 0] + (away * solver.mT).sum(2)
    spread = _spread(
        solver, residual / (1 - leverage).clamp(min=1e-6)[..., None], samples.is_paired
    )
    freedom = _freedom(samples, share * away**2)[..., None]
    error = (spread * _wider(freedom)).masked_fill(freedom < 1, torch.inf)
    return Line(slope, (mean - centre @ slope)[:, 0], error)


def told(
    samples: Samples, line: Line, scores: Float[Tensor, "rows samples outputs"]
) -> Float[Tensor, "rows outputs"]:
    """Return the weighted R2 of a line; 1 where there is nothing to explain."""
    share = (samples.weight / samples.weight.sum(1, keepdim=True))[..., None]
    mean = (share * scores).sum(1)
    missed = scores - line.intercept[:, None] - samples.design @ line.slope
    left, total = (share * missed**2).sum(1), (share * (scores - mean[:, None]) ** 2).sum(1)
    is_flat = total <= 1e-20 * (1 + mean**2)
    return torch.where(is_flat, 1.0, 1 - left / total.clamp(min=1e-300))


def _spread(
    solver: Float[Tensor, "rows columns samples"],
    residual: Float[Tensor, "rows samples outputs"],
    is_paired: bool,
) -> Float[Tensor, "rows columns outputs"]:
    """Return the standard errors, from residuals as they are where their own sample is left out."""
    spread = solver**2 @ residual**2
    if is_paired:  # the two of a pair are not independent
        half = solver.shape[2] // 2
        both = solver[..., :half] * solver[..., half:]
        spread = spread + 2 * both @ (residual[:, :half] * residual[:, half:])
    return spread.clamp(min=0).sqrt()


def _freedom(
    samples: Samples, moves: Float[Tensor, "rows samples columns"]
) -> Float[Tensor, "rows columns"]:
    """Return the degrees of freedom behind each error: fewer where few samples move a column (Kish, 1965)."""
    n_samples, n_columns = moves.shape[1:]
    total = moves.sum(1)
    share = total**2 / (n_samples * (moves**2).sum(1)).clamp(min=1e-300)
    n_draws = n_samples // 2 if samples.is_paired else n_samples
    freedom = share * (n_draws - n_columns - 1)
    return torch.where((total > 1e-12) & (share * n_samples >= FEWEST), freedom, 0.0)


def _wider(freedom: Tensor) -> Tensor:
    """Return by how much to widen an error so that 1.96 of them are a Student t interval."""
    from scipy.stats import t

    return torch.from_numpy(t.ppf(0.975, freedom.clamp(min=1).numpy())) / Z95
