"""What columns tell by themselves is taken out before chance can blur it (control variates, cross-fitted: Zheng and van der Laan, 2011)."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

FOLDS, RIDGE = 5, 1e-4
ROOM = 4  # samples per term from which on an additive model is worth its own errors
MOST_CELLS = 8  # of a column; further categories are left to the line itself, ...
FEWEST = 50.0  # ... and so are cells that so few samples lie in


class Adjusted(NamedTuple):
    """Samples without the part that each column tells by itself, and what that part is made of.

    Terms have the mean 0 over the background; `weight` is the mean over the folds.
    """

    scores: Float[Tensor, "samples outputs"]
    terms: Float[Tensor, "background columns terms"]
    weight: Float[Tensor, "columns terms outputs"]
    constant: Float[Tensor, " outputs"]

    def inside_and_outside(
        self, same: Bool[Tensor, "rows background columns"]
    ) -> tuple[Float[Tensor, "rows columns outputs"], Float[Tensor, "rows columns outputs"]]:
        """Return the mean part of each column over some background rows, and over the others.

        Nothing of it is sampled. The mean over no rows is 0.
        """
        total = torch.einsum("rbc,bct->rct", same.float(), self.terms).double()
        count = same.sum(1).double()[..., None]
        part = torch.einsum("rct,cto->rco", total, self.weight)
        return part / count.clamp(min=1), -part / (same.shape[1] - count).clamp(min=1)


def adjusted(
    background: Float[Tensor, "background columns"],
    cells: Int[Tensor, "background columns"],
    drawn: Int[Tensor, "samples columns"],
    scores: Float[Tensor, "samples outputs"],
) -> Adjusted:
    """Take an additive model out of the scores, for each sample one that has not seen it.

    Whatever that model says, the rest has the right mean: a bad one costs precision, never truth.
    """
    terms = _terms(background, cells, len(drawn))
    n_terms = terms.shape[1] * terms.shape[2]
    if len(drawn) < ROOM * n_terms:
        terms = terms[..., :0]
    design = terms.flatten(0, 1).index_select(0, drawn.flatten()).reshape(len(drawn), -1)
    folds = min(FOLDS, len(drawn))
    constant = scores.mean(0)
    away = (scores - constant).tensor_split(folds)
    parts = list(zip(design.tensor_split(folds), away, strict=True))
    moments = [_moments(*part) for part in parts]
    whole = _Moments(*(torch.stack(each).sum(0) for each in zip(*moments, strict=True)))
    weights = [_solved(whole, own) for own in moments]
    rest = [y - (x @ w.float()).double() for (x, y), w in zip(parts, weights, strict=True)]
    weight = torch.stack(weights).mean(0).reshape(*terms.shape[1:], scores.shape[1])
    return Adjusted(torch.cat(rest), terms, weight, constant)


def _terms(
    background: Float[Tensor, "background columns"],
    cells: Int[Tensor, "background columns"],
    n_samples: int,
) -> Float[Tensor, "background columns terms"]:
    """Return terms of each column with mean 0 and spread 1: one for its value, one for each cell."""
    value = torch.where(background.isnan(), background.nanmean(0).nan_to_num(), background)
    kinds = torch.arange(-1, min(int(cells.max()) + 1, MOST_CELLS))
    is_in = (cells[..., None] == kinds).float()
    terms = torch.cat([value[..., None], is_in], 2)
    away = terms - terms.mean(0)
    spread = away.square().mean(0)
    share = spread**2 / away.pow(4).mean(0).clamp(min=1e-30)  # of the rows that make the spread
    return torch.where(share * n_samples >= FEWEST, away / spread.sqrt().clamp(min=1e-15), 0.0)


class _Moments(NamedTuple):
    """Sums over some samples: of products of terms, and of terms and scores."""

    gram: Float[Tensor, "terms terms"]
    right: Float[Tensor, "terms outputs"]


def _moments(
    design: Float[Tensor, "samples terms"], scores: Float[Tensor, "samples outputs"]
) -> _Moments:
    """Return the sums; single precision is enough here."""
    right = design.T @ scores.float()
    return _Moments((design.T @ design).double(), right.double())


def _solved(whole: _Moments, own: _Moments) -> Float[Tensor, "terms outputs"]:
    """Return the additive model of all samples but those of one fold."""
    gram, right = whole.gram - own.gram, whole.right - own.right
    ridge = RIDGE * gram.diagonal().mean().clamp(min=1) if len(gram) else 0.0
    root = torch.linalg.cholesky(gram + ridge * torch.eye(len(gram), dtype=torch.float64))
    return torch.cholesky_solve(right, root)
