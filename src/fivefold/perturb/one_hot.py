"""Columns that are one category between them (dummy variables), so that they are hidden together or not at all."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.schema import Column, Schema

JOINTS = ("=", "__", "_", "-", ":", ".")  # between the name of the category and that of the value
QUESTIONS = ("is", "has", "had", "was", "can")  # what begins so is a question of its own each time


class OneHot(NamedTuple):
    """A category: the name its columns share, and the columns."""

    name: str
    columns: tuple[str, ...]


def one_hot_columns(schema: Schema, rows: Float[Tensor, "rows columns"] | None = None) -> tuple[OneHot, ...]:  # fmt: skip
    """Return the categories that lie in several columns each, in the order of the schema.

    Columns side by side whose names begin alike (`job=nurse`, `job=cook`), if none may be anything but
    0 or 1. With `rows` the values decide: never more than one of the columns is 1, each is 1 in some row.
    Without them the schema does, which must say that the columns lie between 0 and 1.

    Args:
        schema: Of a table.
        rows: Ordinary rows, such as the training data.
    """
    place = {name: i for i, name in enumerate(schema.names())} if schema.is_table else {}
    found = []
    for one in _alike(schema.columns):
        columns = [place[name] for name in one.columns]
        if rows is None:
            is_one = all(_is_mark(schema.columns[i]) for i in columns)
        else:
            is_one = _is_exclusive(rows[:, columns])
        if is_one:
            found.append(one)
    return tuple(found)


def _alike(columns: tuple[Column, ...]) -> Iterator[OneHot]:
    """Yield runs of neighbours whose names share a beginning; of several the longest beginning that two share."""
    start = 0
    while start < len(columns):
        best = OneHot("", ())
        for begin in _beginnings(columns[start].name):
            end = start
            while end < len(columns) and columns[end].name.startswith(begin) and len(columns[end].name) > len(begin):  # fmt: skip
                end += 1
            names = tuple(c.name for c in columns[start:end])
            if len(names) > 1 and len(names) > len(best.columns):
                best = OneHot(begin.rstrip("".join(JOINTS)), names)
        if best.columns:
            yield best
        start += max(1, len(best.columns))


def _beginnings(name: str) -> list[str]:
    """Return every beginning of a name that ends with a joint, the longest first."""
    ends = {i + len(j) for j in JOINTS for i in range(1, len(name)) if name.startswith(j, i)}
    begins = [name[:end] for end in sorted(ends, reverse=True) if end < len(name)]
    return [b for b in begins if b.rstrip("".join(JOINTS)).lower() not in QUESTIONS]


def _is_mark(column: Column) -> bool:
    is_yes_or_no = column.kind == "integer" and (column.low, column.high) == (0, 1)
    return (is_yes_or_no or column.categories == ("0", "1")) and not column.is_optional


def _is_exclusive(values: Float[Tensor, "rows columns"]) -> bool:
    is_mark = ((values == 0) | (values == 1)).all()
    total = values.sum(1)
    return bool(is_mark & (total <= 1).all() & (values == 1).any(0).all() & torch.tensor(len(values) > 0))  # fmt: skip
