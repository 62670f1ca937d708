"""What columns tell by themselves is taken out before sampling errors can blur it (control variates; Zheng and van der Laan, 2011, cross-fitting)."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

FOLDS, RIDGE = 5, 1e-4
ROOM = 4  # samples per term from which on an additive model is worth its own errors
MOST_CELLS = 12  # of a column; rarer categories are left to the line itself


class Adjusted(NamedTuple):
    """Samples without the part that each column tells by itself, and that part for every background value.

    `part` is what a background row's value of a column adds, averaged over the folds, so that its mean over
    any set of background rows is known without sampling.
    """

    scores: Float[Tensor, "samples outputs"]
    part: Float[Tensor, "background columns outputs"]
    constant: Float[Tensor, " outputs"]


def adjusted(
    background: Float[Tensor, "background columns"],
    cells: Int[Tensor, "background columns"],
    drawn: Int[Tensor, "samples columns"],
    scores: Float[Tensor, "samples outputs"],
) -> Adjusted:
    """Take an additive model out of the scores, for each sample one that has not seen it.

    Whatever that model says, the rest has the right mean: a bad one costs precision, never truth.
    """
    table, owner = _basis(background, cells)  # (background, terms), the column of each term
    if len(drawn) < ROOM * len(owner):
        table = torch.zeros_like(table)
    design = table[drawn[:, owner], torch.arange(len(owner))]  # (samples, terms)
    fold = torch.arange(len(drawn)) % FOLDS
    gram, right = _moments(design, scores, fold)
    rest = torch.empty_like(scores)
    weights, constants = list[Tensor](), list[Tensor]()
    for i in range(FOLDS):
        others = torch.arange(FOLDS) != i
        weight, constant = _solved(gram[others].sum(0), right[others].sum(0))
        inside = fold == i
        rest[inside] = scores[inside] - design[inside].double() @ weight - constant
        weights.append(weight)
        constants.append(constant)
    mean = torch.stack(weights).mean(0)  # (terms, outputs)
    part = torch.zeros(*background.shape, scores.shape[1], dtype=torch.float64)
    part.index_add_(1, owner, table.double()[:, :, None] * mean)
    return Adjusted(rest, part, torch.stack(constants).mean(0))


def _basis(
    background: Tensor, cells: Int[Tensor, "background columns"]
) -> tuple[Float[Tensor, "background terms"], Int[Tensor, " terms"]]:
    """Return centred terms of each column: one for its value, one for each cell that is not rare."""
    found, owner = list[Tensor](), list[int]()
    for i in range(background.shape[1]):
        value = background[:, i].nan_to_num(float(background[:, i].nanmean().nan_to_num()))
        kinds, counts = cells[:, i].unique(return_counts=True)
        common = kinds[counts.argsort(descending=True)][:MOST_CELLS]
        terms = torch.cat([value[:, None], (cells[:, i, None] == common).float()], 1)
        found.append(terms)
        owner += [i] * terms.shape[1]
    table = torch.cat(found, 1)
    centred = table - table.mean(0)
    return centred / centred.std(0, correction=0).clamp(min=1e-6), torch.tensor(owner)


def _moments(
    design: Float[Tensor, "samples terms"],
    scores: Float[Tensor, "samples outputs"],
    fold: Int[Tensor, " samples"],
) -> tuple[Float[Tensor, "folds columns columns"], Float[Tensor, "folds columns outputs"]]:
    """Return the normal equations of each fold, a constant first; single precision is enough here."""
    full = torch.cat([torch.ones(len(design), 1), design], 1)
    parts = [full[fold == i] for i in range(FOLDS)]
    gram = torch.stack([p.T @ p for p in parts]).double()
    right = [p.T.double() @ scores[fold == i] for i, p in enumerate(parts)]
    return gram, torch.stack(right)


def _solved(gram: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    ridge = RIDGE * gram[0, 0].clamp(min=1) * torch.eye(len(gram), dtype=torch.float64)
    ridge[0, 0] = 1e-9
    found = torch.linalg.solve(gram + ridge, right)
    return found[1:], found[0]
