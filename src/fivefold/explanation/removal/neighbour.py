"""Background rows that are like what is known (Aas, Jullum and Loland, 2021: the empirical conditional distribution)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.errors import NotMeasurable
from fivefold.core.limits import Positive
from fivefold.core.schema import Schema
from fivefold.explanation.removal.protocol import refuse_few
from fivefold.perturb import Behind, Hidden

LEAST = 4  # background rows
UNLIKE = 2.0  # squared distance of two categories, or of a gap and a value: that of two unrelated numbers


@dataclass(frozen=True, kw_only=True)
class NeighbourRemoval:
    """A hidden feature takes its value in background rows, the more often the more a row is like what is known.

    For tables with categories and missing values too, and any dependence; it needs many background rows,
    because only those near the example count. Weight of a row: exp(-distance / (2 width^2)), with the
    mean squared distance over the known columns in units of their spread.

    Attributes:
        width: Width of the neighbourhood; a large one weighs all rows alike, as MarginalRemoval does.
    """

    width: Positive = 0.5

    def behind(self, schema: Schema, background: Float[Tensor, "background ..."]) -> Behind:
        """Return the rows and how they are weighed.

        Raises:
            NotMeasurable: No table, or too few rows.
        """
        if not schema.is_table:
            raise NotMeasurable(
                "NeighbourRemoval compares the columns of a table, and these inputs have none.",
                mend="Use MarginalRemoval, BaselineRemoval, or BlurRemoval for images.",
            )
        refuse_few(background, LEAST, "NeighbourRemoval")
        rows = background.double()
        spread = _spread(rows)
        is_category = torch.tensor([c.is_category for c in schema.columns])

        def given(x: Tensor, kept: Tensor, which: Tensor) -> Hidden:
            away = _apart(x.double()[:, None], rows[which], spread, is_category)
            known = kept.double()
            mean = (away @ known[:, :, None])[:, :, 0] / known.sum(1, keepdim=True).clamp(min=1)
            return Hidden(background[which], (-mean / (2 * self.width**2)).softmax(1))

        return Behind(background, given=given, is_weighing=True)


def _spread(rows: Float[Tensor, "background columns"]) -> Float[Tensor, " columns"]:
    away = (rows - rows.nanmean(0)).nan_to_num()
    count = (~rows.isnan()).sum(0).clamp(min=1)
    return (away.square().sum(0) / count).sqrt()


def _apart(x: Tensor, rows: Tensor, spread: Tensor, is_category: Tensor) -> Tensor:
    """Return the squared distance of each value; a number of which the background knows one value is near or not."""
    is_flat = is_category | (spread <= 1e-9)
    number = ((x - rows) / spread.masked_fill(is_flat, 1.0)).square()
    found = torch.where(is_flat, UNLIKE * (x != rows).double(), number)
    gaps = x.isnan().long() + rows.isnan().long()  # none, one or both
    return torch.where(gaps == 0, found, UNLIKE * (gaps == 1))
