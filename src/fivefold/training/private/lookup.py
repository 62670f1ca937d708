"""Weights that are read by index, alone or tied to a matrix product (Li et al., 2022)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fivefold.training.private.use import Product, squared_norms, trusted


@dataclass
class Lookup:
    """A weight whose rows were picked.

    Attributes:
        rows: Which, `(batch, position)`.
        slope: Gradient of what was picked, `(batch, position, column)`; zero where none is due.
        n_rows: Rows of the weight.
    """

    rows: Int[Tensor, "batch position"]
    slope: Float[Tensor, "batch position column"]
    n_rows: int

    @cached_property
    def sums(self) -> tuple[Tensor, Tensor, Tensor]:
        """The gradient of each row that an example has picked: example, row, gradient."""
        size, n, columns = self.slope.shape
        example = torch.arange(size, device=self.rows.device)[:, None]
        key, place = torch.unique(
            (self.rows + example * self.n_rows).flatten(), return_inverse=True
        )
        summed = self.slope.new_zeros(len(key), columns)
        summed.index_add_(0, place, self.slope.reshape(size * n, columns))
        return key // self.n_rows, key % self.n_rows, summed

    @cached_property
    def squares(self) -> Float[Tensor, " batch"]:
        """Squared norm of each example's gradient."""
        example, _, summed = self.sums
        found = torch.zeros(len(self.rows), dtype=torch.float64, device=summed.device)
        return found.index_add_(0, example, squared_norms(summed))

    @cached_property
    def gradients(self) -> Float[Tensor, "batch row column"]:
        """The gradient of each example, dense."""
        example, row, summed = self.sums
        made = summed.new_zeros(len(self.rows), self.n_rows, summed.shape[1])
        made[example, row] = summed
        return made

    def weighted(self, factor: Float[Tensor, " batch"]) -> Tensor:
        """Return the weighted sum of the gradients."""
        example, row, summed = self.sums
        made = summed.new_zeros(self.n_rows, summed.shape[1])
        return made.index_add_(0, row, summed * factor.to(summed.dtype)[example, None])

    def take(self, rows: Tensor) -> "Lookup":
        """Return the use of some of the examples."""
        return Lookup(self.rows[rows], self.slope[rows], self.n_rows)


@dataclass
class Tied:
    """A weight that is both read by index and multiplied with, as in language models.

    Attributes:
        lookup: The reading.
        product: The multiplication; its `left` has a column for each row of the weight.
    """

    lookup: Lookup
    product: Product

    @cached_property
    def squares(self) -> Float[Tensor, " batch"]:
        """Squared norm of the sum of both gradients: their inner product counts twice."""
        rows = self.lookup.rows[:, None, :].expand(-1, self.product.left.shape[1], -1)
        picked = self.product.left.gather(2, rows)
        alike = torch.bmm(self.product.right, self.lookup.slope.mT)
        shared = torch.linalg.vecdot(picked.flatten(1), alike.flatten(1)).double()
        terms = self.product.terms() + torch.linalg.vector_norm(self.lookup.slope, dim=2).sum(1)
        found = self.lookup.squares + self.product.squares + 2 * shared
        return trusted(found, terms.double().square(), picked.dtype)

    @cached_property
    def gradients(self) -> Float[Tensor, "batch row column"]:
        """The gradient of each example, dense."""
        return self.lookup.gradients + self.product.gradients

    def weighted(self, factor: Float[Tensor, " batch"]) -> Tensor:
        """Return the weighted sum of the gradients."""
        return self.lookup.weighted(factor) + self.product.weighted(factor)

    def take(self, rows: Tensor) -> "Tied":
        """Return the use of some of the examples."""
        return Tied(self.lookup.take(rows), self.product.take(rows))


def joined(lookups: Sequence[Lookup]) -> Lookup:
    """Return several readings of one weight as one."""
    if len(lookups) == 1:
        return lookups[0]
    rows, slope = (
        torch.cat([one.rows for one in lookups], 1),
        torch.cat([one.slope for one in lookups], 1),
    )
    return Lookup(rows, slope, lookups[0].n_rows)
