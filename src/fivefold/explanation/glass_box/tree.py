"""A shallow decision tree that answers as a model does (Craven and Shavlik, 1996, TREPAN)."""

from dataclasses import dataclass
from math import inf
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.limits import Count
from fivefold.core.schema import Schema
from fivefold.core.text import Text, text
from fivefold.explanation.glass_box.grown import Grown, Split

RANGE = 3e38  # a split at infinity parts gaps from all numbers


@dataclass(frozen=True, kw_only=True)
class SurrogateTree:
    """A few questions to the columns, and an answer behind each.

    Attributes:
        depth: Most questions in a row.
        smallest_leaf: Rows that each answer must rest on.
    """

    depth: Count = 4
    smallest_leaf: Count = 20

    @property
    def name(self) -> Text:
        """What it is, with its settings."""
        return text("tree of depth {depth}", depth=self.depth)

    def fit(
        self,
        schema: Schema,
        x: Float[Tensor, "rows columns"],
        scores: Float[Tensor, "rows outputs"],
    ) -> Grown:
        """Return the tree that is nearest to the scores; every output counts alike."""
        from sklearn.tree import DecisionTreeRegressor

        questions = _questions(schema)
        grown = DecisionTreeRegressor(
            max_depth=self.depth,
            min_samples_leaf=min(self.smallest_leaf, max(1, len(x) // 2)),
            random_state=0,
        )
        spread = scores.std(0, correction=0)
        level = scores / torch.where(spread > 0, spread, 1.0)
        grown.fit(_answers(questions, x).numpy(), level.numpy())
        return _grown(schema, grown.tree_, questions, x, scores)


def _questions(schema: Schema) -> list[tuple[int, int]]:
    """Return column and category of each question; the category is -1 for a number."""
    found: list[tuple[int, int]] = []
    for i, column in enumerate(schema.columns):
        kinds = range(len(column.categories)) if column.is_category else [-1]
        found += [(i, kind) for kind in kinds]
    return found


def _answers(
    questions: list[tuple[int, int]], x: Float[Tensor, "rows columns"]
) -> Float[Tensor, "rows questions"]:
    """Return numbers as they are, and 1 where a value is the category that is asked for."""
    return torch.stack([x[:, i] if k < 0 else (x[:, i] == k).float() for i, k in questions], 1)


def _grown(
    schema: Schema, tree: Any, questions: list[tuple[int, int]], x: Tensor, scores: Tensor
) -> Grown:
    """Return the tree in our own words; each leaf's value is the mean score of the rows in it."""
    splits = tuple(_split(tree, node, questions, x) for node in range(tree.node_count))
    empty = torch.zeros(len(splits), scores.shape[1], dtype=torch.float64)
    bare = Grown(schema, splits, empty, torch.zeros(len(splits), dtype=torch.int64))
    leaf = bare.leaf_of(x)
    count = torch.bincount(leaf, minlength=len(splits))
    total = empty.index_add(0, leaf, scores.double())
    return bare._replace(values=total / count.clamp(min=1)[:, None], n_rows=count)


def _split(
    tree: Any, node: int, questions: list[tuple[int, int]], x: Float[Tensor, "rows columns"]
) -> Split | None:
    left, right = int(tree.children_left[node]), int(tree.children_right[node])
    if left < 0:
        return None
    column, category = questions[int(tree.feature[node])]
    threshold = float(tree.threshold[node])
    sizes = tree.n_node_samples
    gaps_left = bool(tree.missing_go_to_left[node])
    if not x[:, column].isnan().any():  # gaps that were never seen go where most rows go
        gaps_left = bool(sizes[left] >= sizes[right])
    return Split(column, category, inf if threshold > RANGE else threshold, left, right, gaps_left)
