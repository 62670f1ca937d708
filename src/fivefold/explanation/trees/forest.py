"""Trees of any library as one set of arrays, and which way each row turns at each split."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fivefold.explanation.preparation import Array

NEAR_ZERO = 1e-35  # LightGBM calls a smaller number zero


class View(NamedTuple):
    """A column as some splits read it; a category is read as 0 (goes left) or 1, and compared with a threshold.

    Attributes:
        column: Which column of the prepared rows.
        is_missing_left: Whether a missing number goes left.
        is_zero_missing: Whether 0 counts as missing.
        left: Categories that go left; None if the column is a number.
        right: Categories that go right.
        is_other_left: Whether a category of neither set goes left.
    """

    column: int
    is_missing_left: bool
    is_zero_missing: bool = False
    left: frozenset[int] | None = None
    right: frozenset[int] = frozenset()
    is_other_left: bool = False

    def codes(self, values: Array, cuts: Array) -> Array:
        """Return how many of the sorted `cuts` lie below each value; all that splits need to know of it."""
        missing = np.isnan(values)
        if self.is_zero_missing:
            missing |= np.abs(values) <= NEAR_ZERO
        found = np.searchsorted(cuts, values if self.left is None else self._sides(values))
        found[missing] = 0 if self.is_missing_left else len(cuts)
        return found

    def _sides(self, values: Array) -> Array:
        """Return 0 for categories that go left, 1 for those that go right."""
        whole = np.where(values >= 0, values, -1).astype(np.int64)
        goes_left = np.isin(whole, list(self.left or ()))
        if self.is_other_left:
            goes_left |= ~np.isin(whole, list(self.right))
        return 1.0 - goes_left


class Tree(NamedTuple):
    """One tree as its library tells it; leaves have `left` and `right` -1.

    `view` counts the views of the forest, `value` is what a leaf adds to the outputs from `first` on.
    """

    view: Array
    threshold: Array
    left: Array
    right: Array
    value: Array
    first: int = 0


class Forest(NamedTuple):
    """Trees whose leaves add up. Nodes of all trees are counted through; a child's number is its index.

    Attributes:
        views: How columns are read.
        view: Which view each node splits; 0 at leaves.
        rank: A row goes left if its code is at most this.
        cuts: Thresholds of each view, in order; a row's code is how many of them lie below its value.
        left: Left child; -1 at leaves.
        right: Right child; -1 at leaves.
        value: What each leaf adds to the outputs from `first` on.
        first: First output of each node's tree.
        root: First node of each tree.
        base: What is added to the sum of the leaves.
    """

    views: tuple[View, ...]
    view: Int[Tensor, " nodes"]
    rank: Int[Tensor, " nodes"]
    cuts: tuple[Array, ...]
    left: Int[Tensor, " nodes"]
    right: Int[Tensor, " nodes"]
    value: Float[Tensor, "nodes outputs"]
    first: Int[Tensor, " nodes"]
    root: Int[Tensor, " trees"]
    base: Float[Tensor, " outputs"]

    def codes(self, rows: Array) -> Int[Tensor, "views rows"]:
        """Return which thresholds each value exceeds; all that splits need to know of it."""
        read = [
            view.codes(rows[:, view.column], cuts)
            for view, cuts in zip(self.views, self.cuts, strict=True)
        ]
        longest = max((len(c) for c in self.cuts), default=0)
        kind = np.int16 if longest < np.iinfo(np.int16).max else np.int32
        return torch.from_numpy(np.array(read, dtype=kind).reshape(len(read), len(rows)))


def planted(trees: list[Tree], views: tuple[View, ...], base: Array) -> Forest:
    """Return the trees of a library as one forest."""
    sizes = np.array([len(t.view) for t in trees])
    root = np.cumsum(sizes) - sizes
    left, right = (
        _counted_through(c, root) for c in ([t.left for t in trees], [t.right for t in trees])
    )
    view = np.concatenate([t.view for t in trees])
    threshold = np.concatenate([t.threshold for t in trees]).astype(np.float64)
    rank, cuts = _ranked(np.where(left < 0, -1, view), threshold, len(views))
    value = np.concatenate([t.value for t in trees]).astype(np.float64)
    value[left >= 0] = 0
    return Forest(
        views,
        torch.from_numpy(np.where(left < 0, 0, view).astype(np.int64)),
        torch.from_numpy(rank),
        cuts,
        torch.from_numpy(left),
        torch.from_numpy(right),
        torch.from_numpy(value),
        torch.from_numpy(np.repeat([t.first for t in trees], sizes)),
        torch.from_numpy(root),
        torch.from_numpy(np.asarray(base, dtype=np.float64)),
    )


def goes_left(
    forest: Forest, codes: Int[Tensor, "views rows"], nodes: Int[Tensor, " some"]
) -> Bool[Tensor, "some rows"]:
    """Return whether each row goes left at each of `nodes`."""
    rank = forest.rank[nodes].to(codes.dtype)
    return codes.index_select(0, forest.view[nodes]) <= rank[:, None]


def _counted_through(children: list[Array], root: Array) -> Array:
    moved = [
        np.where(c < 0, -1, c.astype(np.int64) + r) for c, r in zip(children, root, strict=True)
    ]
    return np.concatenate(moved)


def _ranked(view: Array, threshold: Array, n_views: int) -> tuple[Array, tuple[Array, ...]]:
    """Return each threshold's place among those of its view, and the thresholds of each view."""
    rank, cuts = np.zeros(len(view), dtype=np.int64), []
    for v in range(n_views):
        here = view == v
        found, rank[here] = np.unique(threshold[here], return_inverse=True)
        cuts.append(found)
    return rank, tuple(cuts)
