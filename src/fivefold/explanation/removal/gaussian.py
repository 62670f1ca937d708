"""Hidden columns given the known ones, as if all were normal (Aas, Jullum and Loland, 2021, arXiv 1903.10464)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fivefold.core.limits import Share
from fivefold.core.schema import Schema
from fivefold.explanation.removal.dependence import correlation, pull
from fivefold.explanation.removal.protocol import refuse_few, refuse_gaps_and_categories
from fivefold.perturb import Behind, Hidden

LEAST = 4  # background rows
ROOM = 2**22  # entries of the matrices that exist at one time


@dataclass(frozen=True, kw_only=True)
class GaussianRemoval:
    """A hidden column is drawn given what is known: its regression on the known ones, plus a residual.

    Residuals are those of the background rows, all of a row's together, so that nothing is sampled: of
    normal columns this is the conditional distribution, of independent ones the background as it is.
    Values may lie outside what the schema allows; CopulaRemoval stays inside what was seen.

    Attributes:
        shrinkage: How far correlations are pulled to 0, 0 to 1; by default as far as the number of
            background rows asks for.
    """

    shrinkage: Share | None = None

    def behind(self, schema: Schema, background: Float[Tensor, "background ..."]) -> Behind:
        """Return what stands behind hidden columns.

        Raises:
            NotMeasurable: No table, categories, missing values, or too few rows.
        """
        refuse_gaps_and_categories(schema, background, "GaussianRemoval")
        refuse_few(background, LEAST, "GaussianRemoval")
        rows = background.double()
        centre, spread = rows.mean(0), rows.std(0, correction=0)
        spread = torch.where(spread > 1e-9 * (1 + centre.abs()), spread, torch.inf)
        points = (rows - centre) / spread
        corr = correlation(points, self.shrinkage)

        def given(x: Tensor, kept: Tensor, which: Tensor) -> Hidden:
            away = conditioned(corr, (x.double() - centre) / spread, points, kept, which)
            moved = (away - points[which]) * spread.nan_to_num(posinf=0.0)
            return Hidden((rows[which] + moved).to(x.dtype))

        return Behind(background, given=given)


def conditioned(
    corr: Float[Tensor, "columns columns"],
    x: Float[Tensor, "pairs columns"],
    points: Float[Tensor, "background columns"],
    kept: Bool[Tensor, "pairs columns"],
    which: Int[Tensor, "pairs draws"],
) -> Float[Tensor, "pairs draws columns"]:
    """Return the points, moved by what is known of `x`: conditional draws by way of joint ones (Matheron's rule)."""
    out: list[Tensor] = []
    for some in torch.arange(len(x)).split(max(1, ROOM // len(corr) ** 2)):
        patterns, at = kept[some].unique(dim=0, return_inverse=True)
        start = points[which[some]]
        out.append(start + (x[some, None] - start) @ pull(corr, patterns)[at].transpose(1, 2))
    return torch.cat(out)
