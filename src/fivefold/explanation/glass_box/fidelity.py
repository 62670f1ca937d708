"""How well one model's answers stand for another's."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.interval import bootstrap, wilson


class Measured(NamedTuple):
    """A number with its 95 % interval, and what a constant reaches."""

    value: float
    low: float
    high: float
    floor: float


def r2(scores: Float[Tensor, "rows outputs"], told: Float[Tensor, "rows outputs"]) -> float:
    """Return the share of the scores' variance that is told, over all outputs; NaN without variance."""
    total = float((scores - scores.mean(0)).square().sum())
    scale = float(scores.square().sum())
    return (
        1 - float((scores - told).square().sum()) / total if total > 1e-20 * scale else float("nan")
    )


def fidelity(
    scores: Float[Tensor, "rows outputs"],
    told: Float[Tensor, "rows outputs"],
    constant: Float[Tensor, " outputs"],
    rng: Generator,
) -> Measured:
    """Return R2 with a bootstrap interval over rows; the floor is a constant from the fitted rows."""
    value = r2(scores, told)
    low, high = bootstrap(lambda rows: r2(scores[rows], told[rows]), len(scores), rng)
    floor = r2(scores, constant.expand_as(scores))
    return Measured(value, min(low, value), min(max(high, value), 1.0), floor)


def agreement(
    scores: Float[Tensor, "rows classes"],
    told: Float[Tensor, "rows classes"],
    fitted: Float[Tensor, "fitted classes"],
) -> Measured:
    """Return how often both choose the same class; the floor is the commonest choice on the fitted rows."""
    chosen = scores.argmax(1)
    hits, n = int((told.argmax(1) == chosen).sum()), len(scores)
    common = int(torch.bincount(fitted.argmax(1), minlength=scores.shape[1]).argmax())
    return Measured(hits / n, *wilson(hits, n), float((chosen == common).double().mean()))
