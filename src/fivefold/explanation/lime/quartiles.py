"""LIME of discretised columns: which ones keep to their quartile or category while all are drawn anew."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from fivefold.core.model import Model
from fivefold.explanation.lime.adjusted import Adjusted, adjusted
from fivefold.explanation.lime.answers import answers
from fivefold.explanation.lime.line import Found, Line, Samples, fitted, joined, planned, told
from fivefold.explanation.lime.marginals import cells_of, drawn_by_column
from fivefold.explanation.question import Question
from fivefold.perturb import in_parts

VALUES = 2**18  # of designs that exist at one time: few enough to stay near the processor


class _Drawn(NamedTuple):
    """Everything that the rows share."""

    own: Int[Tensor, "background columns"]  # cells of the background
    cells: Int[Tensor, "samples columns"]
    scores: Float[Tensor, "samples outputs"]
    rest: Adjusted


def by_quartiles(
    model: Model, question: Question, budget: int, width: float, penalty: float, rng: Generator
) -> Found:
    """Return how much it matters that each column keeps to its cell.

    The samples do not depend on the row that is explained, so the model answers them once for all rows.
    """
    cells, background = cells_of(model.schema, question.background), question.background
    drawn = drawn_by_column(background, budget, rng)
    scores = answers(model, background.flatten()[drawn])
    own = cells.of(background)
    shared = _Drawn(own, own.flatten()[drawn], scores, adjusted(background, own, drawn, scores))
    keeps = cells.of(question.x)

    def some(rows: Tensor) -> Found:
        return _lines(shared, keeps[rows], width, penalty)

    size = max(1, VALUES // drawn.numel())
    return joined(list(in_parts(some, torch.arange(len(keeps)), size)))


def _lines(
    shared: _Drawn, keeps: Int[Tensor, "rows columns"], width: float, penalty: float
) -> Found:
    keep = (shared.cells == keeps[:, None]).float()  # (rows, samples, columns)
    n = keep.shape[2]
    kept = keep @ torch.ones(n, 1)
    weight = torch.exp((kept[..., 0] - n) / (2 * n * width**2))
    samples = Samples(keep, weight, is_paired=False)
    rest = fitted(planned(samples, penalty), shared.rest.scores[None])
    same = shared.own == keeps[:, None]  # (rows, background, columns)
    line = _settled(_restored(rest, shared.rest, same), same)
    return Found(line, told(samples, line, shared.scores[None]))


def _restored(rest: Line, taken: Adjusted, same: Bool[Tensor, "rows background columns"]) -> Line:
    """Return the line with what was taken out of the scores, whose slope and level are known exactly."""
    at_home, away = taken.inside_and_outside(same)
    return Line(
        rest.slope + at_home - away, rest.intercept + taken.constant + away.sum(1), rest.error
    )


def _settled(line: Line, same: Bool[Tensor, "rows background columns"]) -> Line:
    """A column that can leave its cell nowhere cannot matter; of a cell never seen nothing is known."""
    fixed, unseen = same.all(1)[..., None], ~same.any(1)[..., None]
    slope = line.slope.masked_fill(fixed | unseen, 0.0)
    error = line.error.masked_fill(fixed, 0.0).masked_fill(unseen, torch.inf)
    return Line(slope, line.intercept, error)
