"""Small trees at the end of each path, so that one look-up answers for several leaves."""

from functools import cache
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

NONE = -1


class Shape(NamedTuple):
    """The form of a small tree: a leaf, or a split with one further split at most on each side.

    Attributes:
        n_above: Features asked about above it.
        slot: Bit of the feature that it splits; -1 for a leaf.
        left: Bit of the feature that its left child splits; -1 for a leaf.
        right: Bit of the feature that its right child splits; -1 for a leaf.
        is_same: Whether both children ask about the same new feature.
    """

    n_above: int
    slot: int
    left: int
    right: int
    is_same: bool


class Spot(NamedTuple):
    """One leaf of a small tree: the set that a row fails there for each index, and its features' places."""

    failed: Int[Tensor, " indices"]
    places: list[int]


class Layout(NamedTuple):
    """How a small tree is looked up.

    The index of a row holds, from the lowest bit on, which features above it the row fails, then
    whether the row goes left at the split, at its left and at its right child.

    Attributes:
        n_bits: Bits of the index.
        n_players: Features that any of its leaves asks about.
        spots: Its leaves, from left to right.
    """

    n_bits: int
    n_players: int
    spots: tuple[Spot, ...]


@cache
def layout(shape: Shape) -> Layout:
    """Return how small trees of this shape are looked up."""
    n = shape.n_above
    if shape.slot == NONE:
        return Layout(n, n, (Spot(torch.arange(2**n), list(range(n))),))
    known = n + (shape.slot == n)
    inner = [s for s in (shape.left, shape.right) if s != NONE]
    n_bits = n + 1 + len(inner)
    index = torch.arange(2**n_bits)
    above, own = index & (2**n - 1), (index >> n) & 1
    spots: list[Spot] = []
    next_bit, next_place = n + 1, known
    for side, slot in enumerate((shape.left, shape.right)):
        failed = above | ((own == side).long() << shape.slot)
        if slot == NONE:
            spots.append(Spot(failed, list(range(known))))
            continue
        is_new = slot == known
        is_shared = side == 1 and is_new and shape.left == known and shape.is_same
        place = known if is_shared else next_place
        places = [*range(known), *([place] if is_new else [])]
        next_place += is_new and not is_shared
        turn = (index >> next_bit) & 1
        next_bit += 1
        spots += [Spot(failed | ((turn == s).long() << slot), places) for s in (0, 1)]
    return Layout(n_bits, next_place, tuple(spots))
