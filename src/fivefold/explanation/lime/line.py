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
    """What a line is fitted to, in the precision of the design. A first axis of 1 is shared by all rows.

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


class Plan(NamedTuple):
    """What depends on the samples alone, whatever the scores: made once, and used for many."""

    share: Float[Tensor, "rows samples 1"]
    centre: Float[Tensor, "rows 1 columns"]
    away: Float[Tensor, "rows samples columns"]
    inverse: Float[Tensor, "rows columns columns"]
    solver: Float[Tensor, "rows samples columns"]
    rest: Float[Tensor, "rows samples 1"]  # one minus the leverage
    wider: Float[Tensor, "rows columns 1"]  # infinite where nobody knows the error
    is_paired: bool


def planned(samples: Samples, penalty: float) -> Plan:
    """Return the factored problem.

    Args:
        samples: Where the scores are taken.
        penalty: Ridge penalty of the slopes, relative to the total weight; the intercept is free.
    """
    design, share = samples.design, _shares(samples)[..., None]
    centre = share.mT @ design
    away = design - centre
    weighted = share * away
    gram = weighted.mT @ away
    inverse = _inverse(gram, penalty)
    pulled = away @ inverse.to(design.dtype)
    leverage = share[..., 0] + _added(pulled * weighted)
    squares = ((weighted * away) ** 2).mT @ torch.ones_like(share[0])
    freedom = _freedom(samples, gram.diagonal(dim1=1, dim2=2), squares[..., 0])[..., None]
    wider = _wider(freedom).masked_fill(freedom < 1, torch.inf)
    rest = (1 - leverage).clamp(min=1e-6)[..., None]
    return Plan(share, centre, away, inverse, share * pulled, rest, wider, samples.is_paired)


def fitted(plan: Plan, scores: Float[Tensor, "rows samples outputs"]) -> Line:
    """Return the line through the scores."""
    mean = _mean(plan.share, scores)
    missed = (scores - mean).to(plan.away.dtype)  # a high level would use up the precision
    pull = (plan.away.mT @ (plan.share * missed)).double()
    slope = (plan.inverse @ pull).to(missed.dtype)
    spread = _spread(plan.solver, (missed - plan.away @ slope) / plan.rest, plan.is_paired)
    error = torch.where(plan.wider.isinf(), torch.inf, spread.double() * plan.wider)
    return Line(slope.double(), (mean - (plan.centre @ slope).double())[:, 0], error)


def _mean(share: Tensor, scores: Float[Tensor, "rows samples outputs"]) -> Tensor:
    """Return the mean in double precision, whatever the shares are rounded to."""
    share = share.double()
    return (share * scores).sum(1, keepdim=True) / share.sum(1, keepdim=True)


def _shares(samples: Samples) -> Float[Tensor, "rows samples"]:
    weight = samples.weight / samples.weight.sum(1, keepdim=True)
    return weight.to(samples.design.dtype)


def _added(parts: Float[Tensor, "rows samples columns"]) -> Float[Tensor, "rows samples"]:
    """Return the sum over columns; as a product, which is quicker than `sum` where they are few."""
    return (parts @ torch.ones(parts.shape[2], 1, dtype=parts.dtype))[..., 0]


def _inverse(gram: Float[Tensor, "rows columns columns"], penalty: float) -> Tensor:
    ridge = max(penalty, LEAST_RIDGE) * torch.eye(gram.shape[2], dtype=torch.float64)
    return torch.cholesky_inverse(torch.linalg.cholesky(gram.double() + ridge))


def told(
    samples: Samples, line: Line, scores: Float[Tensor, "rows samples outputs"]
) -> Float[Tensor, "rows outputs"]:
    """Return the weighted R2 of a line; 1 where there is nothing to explain."""
    share = _shares(samples)[..., None].double()
    mean = _mean(share, scores)
    known = samples.design @ line.slope.to(samples.design.dtype)
    missed = scores - line.intercept[:, None] - known.double()
    left, total = (share * missed**2).sum(1), (share * (scores - mean) ** 2).sum(1)
    is_flat = total <= 1e-20 * (1 + mean[:, 0] ** 2)
    return torch.where(is_flat, 1.0, 1 - left / total.clamp(min=1e-300))


def _spread(
    solver: Float[Tensor, "rows samples columns"],
    residual: Float[Tensor, "rows samples outputs"],
    is_paired: bool,
) -> Float[Tensor, "rows columns outputs"]:
    """Return the standard errors, from residuals as they are where their own sample is left out."""
    spread = (solver**2).mT @ residual**2
    if is_paired:  # the two of a pair are not independent
        half = solver.shape[1] // 2
        both = solver[:, :half] * solver[:, half:]
        spread = spread + 2 * both.mT @ (residual[:, :half] * residual[:, half:])
    return spread.clamp(min=0).sqrt()


def _freedom(
    samples: Samples, total: Float[Tensor, "rows columns"], squares: Float[Tensor, "rows columns"]
) -> Float[Tensor, "rows columns"]:
    """Return the degrees of freedom behind each error: fewer where few samples move a column (Kish, 1965).

    `total` and `squares` are the sums of what each sample adds to a column's variance, and of its square.
    """
    n_samples, n_columns = samples.design.shape[1:]
    total, squares = total.double(), squares.double()
    share = total**2 / (n_samples * squares).clamp(min=1e-300)
    n_draws = n_samples // 2 if samples.is_paired else n_samples
    freedom = share * (n_draws - n_columns - 1)
    return torch.where((total > 1e-12) & (share * n_samples >= FEWEST), freedom, 0.0)


def _wider(freedom: Tensor) -> Tensor:
    """Return by how much to widen an error so that 1.96 of them are a Student t interval."""
    from scipy.stats import t

    return torch.from_numpy(t.ppf(0.975, freedom.clamp(min=1).numpy())) / Z95
