"""Hidden columns given the known ones, each column of any distribution (Aas, Jullum and Loland, 2021: Gaussian copula)."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.limits import Share
from fivefold.core.schema import Schema
from fivefold.explanation.removal.dependence import correlation
from fivefold.explanation.removal.gaussian import LEAST, conditioned
from fivefold.explanation.removal.protocol import refuse_few, refuse_gaps_and_categories
from fivefold.perturb import Behind, Hidden


@dataclass(frozen=True, kw_only=True)
class CopulaRemoval:
    """A hidden column is drawn given what is known, by ranks: skewed columns stay skewed, whole numbers whole.

    Ranks in the background become normal scores, which are conditioned as by GaussianRemoval, and turned
    back. Every value lies between the smallest and the largest of the background.

    Attributes:
        shrinkage: How far correlations of the scores are pulled to 0, 0 to 1; by default as far as the
            number of background rows asks for.
    """

    shrinkage: Share | None = None

    def behind(self, schema: Schema, background: Float[Tensor, "background ..."]) -> Behind:
        """Return what stands behind hidden columns.

        Raises:
            NotMeasurable: No table, categories, missing values, or too few rows.
        """
        refuse_gaps_and_categories(schema, background, "CopulaRemoval")
        refuse_few(background, LEAST, "CopulaRemoval")
        rows = background.double()
        scales = [_scale(rows[:, i], c.kind == "integer") for i, c in enumerate(schema.columns)]
        points = _scored(scales, rows)
        corr = correlation(points, self.shrinkage)

        def given(x: Tensor, kept: Tensor, which: Tensor) -> Hidden:
            moved = conditioned(corr, _scored(scales, x.double()), points, kept, which)
            back = [_value(s, moved[..., i]) for i, s in enumerate(scales)]
            return Hidden(torch.stack(back, -1).to(x.dtype))

        return Behind(background, given=given)


class Scale(NamedTuple):
    """The values of a column in order, and the normal score of each; what lies between is interpolated."""

    value: Float[Tensor, " knots"]
    score: Float[Tensor, " knots"]
    is_whole: bool


def _scale(values: Float[Tensor, " rows"], is_whole: bool) -> Scale:
    known, count = values.unique(return_counts=True)
    upto = count.cumsum(0)
    score = torch.special.ndtri((upto.double() - count / 2) / len(values))
    score = score - (score * count).sum() / len(values)
    spread = (score.square() * count).sum() / len(values)
    return Scale(known, score / spread.sqrt().clamp(min=1e-9), is_whole)


def _scored(scales: list[Scale], rows: Float[Tensor, "rows columns"]) -> Tensor:
    found = [_between(rows[:, i].contiguous(), s.value, s.score) for i, s in enumerate(scales)]
    return torch.stack(found, 1)


def _value(scale: Scale, scores: Tensor) -> Tensor:
    found = _between(scores.contiguous(), scale.score, scale.value)
    return found.round() if scale.is_whole else found


def _between(at: Tensor, knots: Float[Tensor, " knots"], told: Float[Tensor, " knots"]) -> Tensor:
    """Return the piecewise linear function through the knots; beyond them it is flat."""
    if len(knots) == 1:
        return told[0].expand_as(at)
    left = (torch.searchsorted(knots, at, right=True) - 1).clamp(0, len(knots) - 2)
    width = knots[left + 1] - knots[left]
    share = ((at - knots[left]) / width).clamp(0, 1)
    return torch.lerp(told[left], told[left + 1], share)
