"""A sum of one curve per column that answers as a model does (Hastie and Tibshirani, 1986; P-splines: Eilers and Marx, 1996)."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.limits import Count
from fivefold.core.schema import Schema
from fivefold.core.text import Text, text
from fivefold.explanation.glass_box.curves import Curves, levels_of

BENDS = (1e-6, 1e-4, 1e-2, 1.0)  # penalties of bends, ...
HEIGHTS = (1e-6, 1e-4, 1e-3, 1e-2)  # ... and of heights: columns that tell the same then share it
HELD = 5  # every fifth row chooses the penalties
NEAR, LITTLE = (
    1.1,
    1e-3,
)  # the strongest penalties that miss little more than the best: relative, of all variance


@dataclass(frozen=True, kw_only=True)
class SurrogateGAM:
    """A constant, and for each column a curve of straight pieces (a number) or a step (a category, a gap).

    How smooth and how low the curves are is chosen on rows that are held back: of what fits them nearly best, the
    smoothest and lowest, because a reader takes a curve for a fact.

    Attributes:
        knots: Most places at which the curve of a number bends, at its quantiles.
    """

    knots: Count = 16

    @property
    def name(self) -> Text:
        """What it is, with its settings."""
        return text("additive, {knots} knots", knots=self.knots)

    def fit(
        self,
        schema: Schema,
        x: Float[Tensor, "rows columns"],
        scores: Float[Tensor, "rows outputs"],
    ) -> Curves:
        """Return the sum of curves that is nearest to the scores."""
        levels = levels_of(schema, x, max(2, self.knots))
        weight = levels.design(x)
        centre, level = weight.mean(0), scores.double().mean(0)
        design, away = weight - centre, scores.double() - level
        rough = _Rough(levels.roughness(), centre.diag())
        heights = _solved(design, away, _chosen(design, away, rough))
        middle = levels.mean_of(centre, heights)
        heights = torch.where((centre > 0)[:, None], heights, middle[levels.owner])
        return Curves(schema, levels, heights, level - centre @ heights, middle, centre)


class _Rough(NamedTuple):
    """What is penalised: bends and steps, and heights where there are rows."""

    bends: Float[Tensor, "levels levels"]
    heights: Float[Tensor, "levels levels"]


def _chosen(
    design: Float[Tensor, "rows levels"], scores: Float[Tensor, "rows outputs"], rough: _Rough
) -> Float[Tensor, "levels levels"]:
    """Return the strongest penalty that fits held-back rows nearly as well as the best one."""
    held = torch.arange(len(design)) % HELD == HELD - 1
    penalties = [b * rough.bends + h * rough.heights for h in HEIGHTS[::-1] for b in BENDS[::-1]]
    if not held.any():
        return penalties[0]
    missed = [
        float((scores[held] - design[held] @ found).square().sum())
        for found in (_solved(design[~held], scores[~held], p) for p in penalties)
    ]
    best, all_of_it = min(missed), float(scores[held].square().sum())
    enough = max(NEAR * best, best + LITTLE * all_of_it)
    return next(p for p, m in zip(penalties, missed, strict=True) if m <= enough)


def _solved(design: Tensor, scores: Tensor, penalty: Tensor) -> Float[Tensor, "levels outputs"]:
    """Return the heights; a trace of ridge decides where the curves of a sum might trade their levels."""
    gram = design.T @ design / len(design) + penalty
    gram.diagonal().add_(1e-8)
    return torch.linalg.solve(gram, design.T @ scores / len(design))
