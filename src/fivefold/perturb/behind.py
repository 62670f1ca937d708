"""What stands where features are hidden: rows as they are, or made from what is known (Covert, Lundberg and Lee, 2021)."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Hidden(NamedTuple):
    """Values behind some masks, several versions of each, and how much each version counts.

    `weight` adds up to 1 for each mask; None if all versions count alike.
    """

    values: Float[Tensor, "pairs draws values"]
    weight: Float[Tensor, "pairs draws"] | None = None

    def mean(self, scores: Float[Tensor, "pairs draws outputs"]) -> Float[Tensor, "pairs outputs"]:
        """Return the mean score of each mask."""
        if self.weight is None:
            return scores.mean(1)
        return (self.weight[:, :, None] * scores).sum(1)


Given: TypeAlias = Callable[
    [Float[Tensor, "pairs values"], Bool[Tensor, "pairs values"], Int[Tensor, "pairs draws"]],
    Hidden,
]


class Behind(NamedTuple):
    """What hidden values are taken from.

    Attributes:
        rows: Rows that stand for "nothing is known".
        weight: How much each row counts; they add up to 1. None if all count alike.
        given: Makes the values behind a mask from the flattened example, which of its values are known,
            and which of the rows to start from; None if the rows stand there as they are.
        is_own: Whether nothing of the rows is used, because each example is its own background.
        is_weighing: Whether `given` weighs its rows, so that a few of them do not stand for all.
    """

    rows: Float[Tensor, "background ..."]
    weight: Float[Tensor, " background"] | None = None
    given: Given | None = None
    is_own: bool = False
    is_weighing: bool = False

    def of(
        self,
        x: Float[Tensor, "pairs values"],
        kept: Bool[Tensor, "pairs values"],
        which: Int[Tensor, "pairs draws"],
    ) -> Hidden:
        """Return what stands behind each pair of a flattened example and the values it keeps."""
        if self.given is not None:
            return self.given(x, kept, which)
        weight = None if self.weight is None else self.weight[which]
        if weight is not None:
            weight = weight / weight.sum(1, keepdim=True)
        return Hidden(self.rows.flatten(1)[which], weight)

    def empty(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows draws ..."]:
        """Return what is left of each example when everything is hidden."""
        flat = x.flatten(1)
        which = torch.arange(len(self.rows)).expand(len(x), -1)
        found = self.of(flat, torch.zeros_like(flat).bool(), which)
        return found.values.unflatten(2, x.shape[1:])
