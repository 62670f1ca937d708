"""LIME of moved columns: numbers are drawn from a bell around the row, categories from the background."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from fivefold.core.errors import BadInput
from fivefold.core.model import Model
from fivefold.core.schema import Schema
from fivefold.explanation.lime.answers import answers, pairs
from fivefold.explanation.lime.line import Found, Line, Samples, fitted, joined, planned, told
from fivefold.explanation.lime.marginals import drawn_by_column
from fivefold.explanation.question import Question
from fivefold.perturb import in_parts

VALUES = 2**18  # of moved rows that exist at one time: few enough to stay near the processor


class _Moves(NamedTuple):
    """Moves that all rows share, in standard deviations, and what categories change to."""

    bell: Float[Tensor, "samples columns"]
    swapped: Float[Tensor, "samples columns"]
    mean: Float[Tensor, " columns"]
    scale: Float[Tensor, " columns"]
    is_number: Bool[Tensor, " columns"]


def around(
    model: Model, question: Question, budget: int, width: float, penalty: float, rng: Generator
) -> Found:
    """Return what the slope near each row says of its way from the mean of the background.

    Raises:
        BadInput: A number is missing: what is not there cannot be moved.
    """
    moves = _moves(model.schema, question, budget, width, rng)
    x = question.x
    shared = _shared(moves)
    plan = None if shared is None else planned(shared, penalty)

    def some(rows: Tensor) -> Found:
        own = x[rows][:, None]
        moved = torch.where(moves.is_number, own + moves.bell * moves.scale, moves.swapped)
        scores = answers(model, moved.flatten(0, 1)).unflatten(0, moved.shape[:2])
        samples = shared or _samples(moves, moved, own, width)
        line = fitted(plan or planned(samples, penalty), scores)
        return Found(_on_the_way(line, own[:, 0], moves), told(samples, line, scores))

    size = max(1, VALUES // moves.bell.numel())
    return joined(list(in_parts(some, torch.arange(len(x)), size)))


def _moves(schema: Schema, question: Question, budget: int, width: float, rng: Generator) -> _Moves:
    """Return the moves: weighing a bell by the kernel makes it narrower, so the narrow one is drawn.

    They come in pairs of opposites, which cancel every curvature.
    """
    is_number = torch.tensor([not c.is_category for c in schema.columns])
    background, n = question.background, question.groups.n
    if torch.cat([question.x, background])[:, is_number].isnan().any():
        raise BadInput(
            "A missing number cannot be moved.",
            where="sampling",
            mend='Use sampling = "quartiles", which takes gaps as a value of their own.',
        )
    half = pairs(budget)
    bell = torch.randn(half, n, generator=rng) / (1 + 1 / (n * width**2)) ** 0.5
    other = drawn_by_column(background, 2 * half, rng)
    return _Moves(
        torch.cat([bell, -bell]),
        background.flatten()[other],
        background.mean(0),
        background.std(0, correction=0),
        is_number,
    )


def _shared(moves: _Moves) -> Samples | None:
    """Return the regression where it is the same for all rows: there are only numbers."""
    if not bool(moves.is_number.all()):
        return None
    weight = torch.ones(1, len(moves.bell), dtype=torch.float64)
    return Samples(moves.bell[None], weight, is_paired=True)


def _samples(
    moves: _Moves, moved: Float[Tensor, "rows samples columns"], own: Tensor, width: float
) -> Samples:
    """Return the regression on the moves of numbers, and on whether categories stay the same."""
    bell = moves.bell[None]
    same = (moved == own) | (moved.isnan() & own.isnan())
    design = torch.where(moves.is_number, bell, same.float())
    lost = (~same & ~moves.is_number).sum(2)
    weight = torch.exp(-lost.double() / (2 * bell.shape[2] * width**2))
    return Samples(design, weight, is_paired=True)


def _on_the_way(line: Line, x: Float[Tensor, "rows columns"], moves: _Moves) -> Line:
    """Return the line in steps from the mean row to each row, with the level it has at the mean."""
    way = ((x - moves.mean) / moves.scale.clamp(min=1e-12)).double()
    way = torch.where(moves.scale > 0, way, 0.0)
    way = torch.where(moves.is_number, way, 1.0)[..., None]
    slope = line.slope * way
    down = torch.where(moves.is_number[:, None], slope, 0.0).sum(1)
    error = torch.where(way == 0, 0.0, line.error * way.abs())
    return Line(slope, line.intercept - down, error)
