"""How a weight was used, and what that says of each example's gradient (Goodfellow, 2015; Bu et al., 2023).

The gradient of one example is never needed by itself: its norm and a weighted sum over examples are. So
every kind of use has `squares` (squared norms, in float64, never too small), `gradients` (of each example,
made when asked for), `weighted(factor)` and `take(rows)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

MOST_NUMBERS = 2**26  # of per-example gradients that one weight may hold at once: 256 MiB
TRAFFIC = 30  # multiplications in the time that one number is written and read twice, measured
PART = 2**14  # numbers that are summed in one go
CANCELLED = 1e-4  # a norm this far below the sum of its terms, squared, is not to be trusted


@dataclass
class Direct:
    """Per-example gradients that are there already.

    Attributes:
        gradients: `(batch, *weight)`.
    """

    gradients: Tensor

    @cached_property
    def squares(self) -> Float[Tensor, " batch"]:
        """Squared norm of each example's gradient."""
        return squared_norms(self.gradients.reshape(self.gradients.shape[0], -1))

    def weighted(self, factor: Float[Tensor, " batch"]) -> Tensor:
        """Return the weighted sum of the gradients."""
        return weighted_sum(factor, self.gradients)

    def take(self, rows: Tensor) -> "Direct":
        """Return the use of some of the examples."""
        return Direct(self.gradients[rows])


@dataclass
class Product:
    """A weight of a matrix product: the gradient of an example is `left.T @ right`.

    Attributes:
        left: `(batch, position, rows of the weight)`.
        right: `(batch, position, columns of the weight)`.
        beside: The bias that has `left` for its gradient, so that its norms are found once.
    """

    left: Tensor
    right: Tensor
    beside: Direct | None = None

    @cached_property
    def squares(self) -> Float[Tensor, " batch"]:
        """Squared norm of each example's gradient."""
        if self.left.shape[1] == 1:
            left = self.beside.squares if self.beside else squared_norms(self.left[:, 0])
            return left * squared_norms(self.right[:, 0])
        return trusted(self.inner(), self.terms().square(), self.left.dtype)

    @property
    def is_heavy(self) -> bool:
        """Whether the gradients of the examples are cheaper to form than to do without.

        Both ways cost multiplications, and forming them costs memory traffic too.
        """
        size, n, p = self.left.shape
        q = self.right.shape[2]
        return size * p * q <= MOST_NUMBERS and n * n * (p + q) > TRAFFIC * p * q

    @property
    def gradients(self) -> Float[Tensor, "batch rows columns"]:
        """The gradient of each example."""
        return torch.bmm(self.left.mT, self.right)

    def inner(self) -> Float[Tensor, " batch"]:
        """Return the squared norms without forming a gradient: all pairs of positions are compared."""
        a, b = torch.bmm(self.left, self.left.mT), torch.bmm(self.right, self.right.mT)
        return torch.linalg.vecdot(a.flatten(1), b.flatten(1)).double()

    def terms(self) -> Float[Tensor, " batch"]:
        """Return the sum of the norms of what is summed over positions."""
        return torch.linalg.vecdot(
            torch.linalg.vector_norm(self.left, dim=2), torch.linalg.vector_norm(self.right, dim=2)
        ).double()

    def weighted(self, factor: Float[Tensor, " batch"]) -> Tensor:
        """Return the weighted sum of the gradients."""
        left = self.left * factor.to(self.left.dtype).view(-1, 1, 1)
        return left.flatten(0, 1).mT @ self.right.flatten(0, 1)

    def take(self, rows: Tensor) -> "Product":
        """Return the use of some of the examples."""
        return Product(self.left[rows], self.right[rows])


def formed(gradients: Tensor) -> Direct:
    """Return gradients with their norms, found while the numbers are at hand."""
    made = Direct(gradients)
    _ = made.squares
    return made


def product(left: Tensor, right: Tensor, beside: Direct | None = None) -> Product | Direct:
    """Return the use of a weight in a matrix product, by the cheaper of two ways."""
    made = Product(left, right, beside)
    return formed(made.gradients) if left.shape[1] > 1 and made.is_heavy else made


def joined(products: Sequence[Product]) -> Product:
    """Return several uses of one weight as one: their positions stand side by side."""
    if len(products) == 1:
        return products[0]
    return Product(
        torch.cat([p.left for p in products], 1), torch.cat([p.right for p in products], 1)
    )


def trusted(squares: Tensor, terms: Tensor, dtype: torch.dtype) -> Tensor:
    """Return squared norms, raised by what rounding in `dtype` may have taken from them.

    `terms` is what they would be if nothing cancelled. Without this an example whose terms are huge and
    cancel could seem to have no gradient, and would then not be clipped.
    """
    raised = squares.clamp(min=0) + 2 * torch.finfo(dtype).eps * terms
    return torch.maximum(raised, CANCELLED * terms)


def squared_norms(x: Float[Tensor, "batch number"]) -> Float[Tensor, " batch"]:
    """Return the squared L2 norm of each row; infinite where the numbers are too large to be squared.

    Long rows are summed in parts, because a long sum in float32 comes out too small.
    """
    if x.shape[1] <= PART:
        return torch.linalg.vector_norm(x, dim=1).double().square()
    parts = [torch.linalg.vector_norm(part, dim=1) for part in x.split(PART, 1)]
    return torch.stack(parts).double().square().sum(0)


def weighted_sum(factor: Float[Tensor, " batch"], x: Tensor) -> Tensor:
    """Return the sum of `x` over its first axis, weighted."""
    return (factor.to(x.dtype) @ x.reshape(x.shape[0], -1)).view(x.shape[1:])
