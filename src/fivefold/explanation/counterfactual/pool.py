"""The best changes found so far, for each row: at most one for each set of changed columns."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Pool(NamedTuple):
    """Changes of each row, best first: those on the right side by price, then the others by price.

    The price of a change on the right side is its length, dearer for each column and for each step out
    of the ordinary; on the wrong side, by how much it misses. It is infinite where there is no member.
    `outputs` are the model's answers.
    """

    tried: Float[Tensor, "rows members columns"]
    outputs: Float[Tensor, "rows members outputs"]
    price: Float[Tensor, "rows members"]
    is_met: Bool[Tensor, "rows members"]

    def first(self, n: int) -> "Pool":
        """Return the `n` best of each row."""
        return Pool(*(part[:, :n] for part in self))

    def ordered(self) -> "Pool":
        """Return the same members, best first."""
        by_price = self.price.argsort(dim=1, stable=True)
        is_wrong = ~self.is_met.gather(1, by_price)
        return self.at(by_price.gather(1, is_wrong.long().argsort(dim=1, stable=True)))

    def joined(self, other: "Pool") -> "Pool":
        """Return the members of both, unordered."""
        return Pool(*(torch.cat(pair, dim=1) for pair in zip(self, other, strict=True)))

    def distinct(self, x: Float[Tensor, "rows columns"]) -> "Pool":
        """Return the same members, of those that change the same columns of `x` only the first."""
        gone = self.tried.isnan() & x[:, None].isnan()
        changed = ((self.tried != x[:, None]) & ~gone).float()
        both, count = changed @ changed.mT, changed.sum(-1)
        same = (both == count[:, None]) & (both == count[:, :, None])
        is_again = same.tril(-1).any(-1)
        price = self.price.masked_fill(is_again, torch.inf)
        return self._replace(price=price, is_met=self.is_met & ~is_again)

    def at(self, order: Int[Tensor, "rows some"]) -> "Pool":
        """Return the members at these places of each row."""
        tried, outputs = (
            part.gather(1, order[..., None].expand(-1, -1, part.shape[-1]))
            for part in (self.tried, self.outputs)
        )
        return Pool(tried, outputs, self.price.gather(1, order), self.is_met.gather(1, order))


def empty(x: Float[Tensor, "rows columns"], outputs: int) -> Pool:
    """Return a pool without members."""
    none = torch.zeros(len(x), 0, dtype=torch.float64)
    return Pool(x[:, None][:, :0], none[..., None].expand(-1, -1, outputs), none, none.bool())
