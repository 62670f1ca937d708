"""What a library's model is, once read: a forest, and what its sums mean."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fivefold.core.text import Text
from fivefold.explanation.preparation import Array
from fivefold.explanation.sums import Spread
from fivefold.explanation.trees.forest import Forest, Tree, View, planted


class Reading(NamedTuple):
    """A model made of trees.

    Attributes:
        forest: Its trees.
        raw: What the library says of inputs of the estimator: what the trees add up to, `(rows, outputs)`.
        unit: What one unit of that is.
        spread: How the sums become one score per class.
        rows: Turn inputs of the estimator into what the trees read.
        source: Column of the estimator's inputs that each column of `rows` comes from; None if the same.
    """

    forest: Forest
    raw: Callable[[Array], Array]
    unit: Text
    spread: Spread = "each"
    rows: Callable[[Array], Array] = np.asarray
    source: Array | None = None


class Grove:
    """Collects trees that share their views."""

    def __init__(self) -> None:
        self.trees: list[Tree] = []
        self._views: dict[View, int] = {}

    def view(self, view: View) -> int:
        """Return the number of a view."""
        return self._views.setdefault(view, len(self._views))

    def views(
        self, column: Array, is_missing_left: Array, *, is_zero_missing: bool = False
    ) -> Array:
        """Return the numbers of the views of some columns that hold numbers."""
        pairs = zip(column.tolist(), is_missing_left.astype(bool).tolist(), strict=True)
        found = [self.view(View(c, m, is_zero_missing)) for c, m in pairs]
        return np.array(found, dtype=np.int64)

    def planted(self, base: Array | float) -> Forest:
        """Return the forest."""
        return planted(self.trees, tuple(self._views), np.atleast_1d(np.asarray(base)))


def in_bits(words: Array) -> frozenset[int]:
    """Return which bits of some 32-bit words are set."""
    bits = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")
    return frozenset(np.flatnonzero(bits).tolist())


def columns_of(answer: Array) -> Array:
    """Return answers as `(rows, outputs)` in double precision."""
    found = np.asarray(answer, dtype=np.float64)
    return found.reshape(len(found), -1)
