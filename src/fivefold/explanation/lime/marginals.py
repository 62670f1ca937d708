"""Rows of a table drawn column by column, and which quartile or category each value lies in."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from fivefold.core.schema import Schema

MISSING = -1  # the cell of a gap


class Cells(NamedTuple):
    """Which cell each value lies in: a quartile of the background, a category, or the gaps."""

    cuts: Float[Tensor, "columns 3"]
    is_category: Bool[Tensor, " columns"]

    def of(self, x: Float[Tensor, "rows columns"]) -> Int[Tensor, "rows columns"]:
        """Return the cell of each value; a value at a cut belongs to the quartile below it."""
        quarter = (x[..., None] > self.cuts).sum(2, dtype=torch.int32)
        cell = torch.where(self.is_category, x.nan_to_num().int(), quarter)
        return cell.masked_fill(x.isnan(), MISSING)


def cells_of(schema: Schema, background: Float[Tensor, "background columns"]) -> Cells:
    """Return quartiles for numbers, and categories as they are."""
    quarters = torch.tensor([0.25, 0.5, 0.75])
    cuts = background.T.contiguous().nanquantile(quarters, dim=1)
    return Cells(cuts.T.contiguous(), torch.tensor([c.is_category for c in schema.columns]))


def drawn_by_column(
    background: Float[Tensor, "background columns"], n: int, rng: Generator
) -> Int[Tensor, "samples columns"]:
    """Return where each sample takes the value of each column, in the flattened background.

    Columns are independent.
    """
    n_rows, n_columns = background.shape
    row = torch.randint(n_rows, (n, n_columns), generator=rng)
    return row * n_columns + torch.arange(n_columns)
