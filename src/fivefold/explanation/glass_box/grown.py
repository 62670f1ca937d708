"""A grown tree: it answers, says its rules, and is drawn as boxes."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fivefold.core.schema import Schema
from fivefold.core.text import Language, text
from fivefold.explanation.glass_box.condition import Where, told

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Split(NamedTuple):
    """One question. Of a category: is it this one? Then those that are go right."""

    column: int
    category: int  # -1 for a number
    threshold: float
    left: int
    right: int
    gaps_left: bool

    def goes_left(self, x: Float[Tensor, "rows columns"]) -> Bool[Tensor, " rows"]:
        """Return which rows go left."""
        values = x[:, self.column].double()
        if self.category >= 0:
            return values != self.category
        return (values <= self.threshold) | (values.isnan() & self.gaps_left)


class Rule(NamedTuple):
    """One leaf: where it holds, what it answers, and how many rows it was read from."""

    where: dict[int, Where]
    values: Float[Tensor, " outputs"]
    n_rows: int


class Grown(NamedTuple):
    """A binary tree; a node without a split is a leaf with a value for each output."""

    schema: Schema
    splits: tuple[Split | None, ...]
    values: Float[Tensor, "nodes outputs"]
    n_rows: Int[Tensor, " nodes"]

    def leaf_of(self, x: Float[Tensor, "rows columns"]) -> Int[Tensor, " rows"]:
        """Return the leaf that each row comes to."""
        node = torch.zeros(len(x), dtype=torch.int64)
        for i, split in enumerate(self.splits):  # children come after their parents
            if split is not None:
                here = node == i
                below = torch.where(split.goes_left(x), split.left, split.right)
                node = torch.where(here, below, node)
        return node

    def predict(self, x: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows outputs"]:
        """Return the value of the leaf that each row comes to."""
        return self.values[self.leaf_of(x)]

    def rules(self, node: int = 0, where: dict[int, Where] | None = None) -> list[Rule]:
        """Return the rules below a node, from left to right."""
        where, split = where or {}, self.splits[node]
        if split is None:
            return [Rule(where, self.values[node], int(self.n_rows[node]))]
        left, right = _sides(split, where.get(split.column, Where()))
        return [
            *self.rules(split.left, where | {split.column: left}),
            *self.rules(split.right, where | {split.column: right}),
        ]

    def lines(self, outputs: tuple[str, ...], unit: str, language: Language) -> list[str]:
        """Return one sentence for each rule."""
        return [self._line(rule, outputs, unit, language) for rule in self.rules()]

    def _line(self, rule: Rule, outputs: tuple[str, ...], unit: str, language: Language) -> str:
        at = int(rule.values.argmax())
        joint = text(" and ").words(language)
        conditions = joint.join(
            told(self.schema.columns[i], where, language) for i, where in rule.where.items()
        )
        facts = {"output": outputs[at], "value": float(rule.values[at]), "unit": unit}
        if not conditions:
            return text(
                "Always: {output} {value} ({unit}), from {n} rows.", n=rule.n_rows, **facts
            ).words(language)
        return text(
            "If {conditions}: {output} {value} ({unit}), from {n} rows.",
            conditions=conditions,
            n=rule.n_rows,
            **facts,
        ).words(language)

    def draw(self, ax: "Axes", output: int, column: str, unit: str, language: Language) -> None:
        """Draw the whole tree; `column` has no meaning here."""
        from fivefold.explanation.glass_box.drawing import draw_tree

        del column, unit
        draw_tree(self, ax, output, language)

    def pictures(self) -> list[str]:
        """Return one empty name: a tree is one picture."""
        return [""]


def _sides(split: Split, where: Where) -> tuple[Where, Where]:
    if split.category >= 0:
        return where.without(split.category), where.only(split.category)
    return (
        where.below(split.threshold, split.gaps_left),
        where.above(split.threshold, not split.gaps_left),
    )
