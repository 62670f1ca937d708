"""Rows of a table drawn column by column, and which quartile or category each value lies in."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from fivefold.core.schema import Schema

MISSING = -1  # the cell of a gap


class Cells(NamedTuple):
    """Which cell each value lies in: a quartile of the background, a category, or the gaps."""

    cuts: tuple[Float[Tensor, " cuts"] | None, ...]  # None for a category

    def of(self, x: Float[Tensor, "rows columns"]) -> Int[Tensor, "rows columns"]:
        """Return the cell of each value."""
        found = [self._of(i, x[:, i].contiguous()) for i in range(x.shape[1])]
        return torch.stack(found, 1).masked_fill(x.isnan(), MISSING)

    def _of(self, column: int, values: Float[Tensor, " rows"]) -> Int[Tensor, " rows"]:
        cuts = self.cuts[column]
        return values.nan_to_num().long() if cuts is None else torch.bucketize(values, cuts)


def cells_of(schema: Schema, background: Float[Tensor, "background columns"]) -> Cells:
    """Return quartiles for numbers, and categories as they are."""
    quarters = torch.tensor([0.25, 0.5, 0.75])

    def cuts(i: int) -> Tensor | None:
        if schema.columns[i].is_category:
            return None
        known = background[:, i][~background[:, i].isnan()]
        return known.quantile(quarters).unique() if len(known) else known

    return Cells(tuple(cuts(i) for i in range(background.shape[1])))


def drawn_by_column(
    background: Float[Tensor, "background columns"], n: int, rng: Generator
) -> Int[Tensor, "samples columns"]:
    """Return for each sample and column the background row whose value it takes.

    Columns are independent. Of few background rows each comes up as often as any other, or once more.
    """
    n_rows, n_columns = background.shape
    if n_rows > n:
        return torch.randint(n_rows, (n, n_columns), generator=rng)
    rounds = -(-n // n_rows)
    chance = torch.rand(rounds, n_rows, n_columns, generator=rng)
    return chance.argsort(1).flatten(0, 1)[:n]
