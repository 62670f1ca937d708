"""The training examples that moved an answer most, in the user's own words."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from fivefold.core.codepoints import decode_texts
from fivefold.core.data import Inputs
from fivefold.core.errors import BadInput
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task

if TYPE_CHECKING:
    from fivefold.explanation.influence.influence import Influence


class Example(NamedTuple):
    """A training example: where it stands, its influence, its label, and its columns or words by name.

    `columns` is empty for an image.
    """

    train_row: int
    value: float
    error: float | None
    label: str
    columns: Mapping[str, str | float]


class Top(NamedTuple):
    """Examples that spoke for an answer and against it, strongest first."""

    helpful: tuple[Example, ...]
    harmful: tuple[Example, ...]


def top_of(found: "Influence", row: int, k: int) -> Top:
    """Return the strongest examples of one row on each side; none that did not move it at all.

    Raises:
        BadInput: There is no such row, or `k` is below 1.
    """
    if not 0 <= row < len(found.values) or k < 1:
        raise BadInput(
            "There is no row {row}, or no {k} examples; {n} rows were asked about.",
            mend="Rows count from 0, and k from 1.",
            row=row,
            k=k,
            n=len(found.values),
        )
    values = found.values[row]
    order = values.sort(descending=True, stable=True).indices
    up = [i for i in order[:k].tolist() if values[i] > 0]
    down = [i for i in order.flip(0)[:k].tolist() if values[i] < 0]
    return Top(*(tuple(_example(found, row, i) for i in side) for side in (up, down)))


def label_of(task: Task, y: Tensor) -> str:
    """Return a target in words."""
    if task.is_classification:
        return task.classes[int(y)]
    return f"{float(y):.4g} {task.unit}".strip()


def columns_of(schema: Schema, x: Inputs, row: int) -> dict[str, str | float]:
    """Return the values of one example by name; a text as one value, an image as none."""
    if not isinstance(x, Tensor):
        return {name: str(part[row].tolist()) for name, part in x.items()}
    if schema.is_text:
        return {"text": decode_texts(x[row : row + 1])[0]}
    return {c.name: _cell(c, float(x[row, i])) for i, c in enumerate(schema.columns)}


def _example(found: "Influence", row: int, train_row: int) -> Example:
    return Example(
        train_row=train_row,
        value=float(found.values[row, train_row]),
        error=None if found.error is None else float(found.error[row, train_row]),
        label=label_of(found.task, found.train.y[train_row]),
        columns=columns_of(found.schema, found.train.x, train_row),
    )


def _cell(column: Column, value: float) -> str | float:
    if value != value:  # a gap
        return ""
    return column.categories[int(value)] if column.is_category else value
