"""Sparse random projection that keeps inner products (Kane and Nelson, 2014)."""

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

COPIES = 4  # places that each number is added to


class Sketch:
    """Adds each number, with a random sign, to a place in each of four blocks.

    Inner products of what comes out are those of what went in on average, with a variance of at most
    2 / `dimension` of the product of the squared lengths. It takes a few additions per number and no
    matrix is held.
    """

    def __init__(self, n: int, dimension: int, rng: Generator) -> None:
        width = dimension // COPIES
        self.dimension = width * COPIES
        blocks = torch.arange(COPIES)[:, None] * width
        self._place: Int[Tensor, "copies n"] = blocks + torch.randint(width, (COPIES, n), generator=rng)  # fmt: skip
        signs = torch.randint(2, (COPIES, n), generator=rng) * 2 - 1
        self._sign: Float[Tensor, "copies n"] = signs.float() / COPIES**0.5

    def __call__(self, rows: Float[Tensor, "batch n"]) -> Float[Tensor, "batch dimension"]:
        """Return the projections."""
        columns = rows.T.contiguous()  # sums over rows of memory that lie together
        found = columns.new_zeros(self.dimension, len(rows))
        for place, sign in zip(self._place, self._sign, strict=True):
            found.index_add_(0, place, columns * sign[:, None])
        return found.T
