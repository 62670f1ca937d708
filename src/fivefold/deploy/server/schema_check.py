"""Whether examples are ones that the model's schema allows.

A declared range is a promise about the world, and a value outside it is refused. A range that was only
observed in the training rows is not: ordinary new rows leave it, and the monitor reports them.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from torch import Tensor

from fivefold.core.schema import Column, Schema
from fivefold.core.text import text
from fivefold.deploy.server.call import Call
from fivefold.deploy.server.refused import Refused, unfit

Rows: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]


class SchemaCheck:
    """Refuses what the schema forbids.

    Args:
        schema: What the model eats.
    """

    def __init__(self, schema: Schema) -> None:
        self._check = _table(schema) if schema.is_table else _any(schema)

    def __call__(self, call: Call) -> None:
        """Go on, or refuse with 422, naming the row and the column."""
        if call.x is not None:
            self._check(call.x)


def _any(schema: Schema) -> Callable[[Tensor], None]:
    if schema.is_text:
        return lambda _: None

    def check(x: Tensor) -> None:
        values = x.numpy()
        least, most = np.minimum.reduce(values, None), np.maximum.reduce(values, None)
        if not (least >= 0 and most <= 1):  # NaN fails both
            is_inside = ((values >= 0) & (values <= 1)).reshape(len(values), -1)
            row = int(is_inside.all(1).argmin())
            raise unfit(text("Row {row} has pixels that are missing or outside 0 to 1.", row=row))

    return check


def _table(schema: Schema) -> Callable[[Tensor], None]:
    low = np.array([_bound(c, c.low, -np.inf) for c in schema.columns])
    high = np.array([_bound(c, c.high, np.inf) for c in schema.columns])
    optional = np.array([c.is_optional for c in schema.columns])
    whole = np.array([c.kind != "number" for c in schema.columns])

    def check(x: Tensor) -> None:
        values = x.numpy()
        is_missing = np.isnan(values)
        with np.errstate(invalid="ignore"):
            is_inside = (values >= low) & (values <= high) & np.isfinite(values)
            is_inside &= ~whole | (values == np.floor(values))
        bad = np.where(is_missing, ~optional, ~is_inside)
        if bad.any():
            raise _named(schema, values, bad)

    return check


def _bound(column: Column, bound: float | None, otherwise: float) -> np.float32:
    if column.is_category:
        return np.float32(0 if otherwise < 0 else len(column.categories) - 1)
    return np.float32(otherwise if bound is None or column.is_observed else bound)


def _named(schema: Schema, values: np.ndarray[Any, Any], bad: Rows) -> Refused:
    row, place = (int(i) for i in np.argwhere(bad)[0])
    column = schema.columns[place]
    if np.isnan(values[row, place]):
        return unfit(text("Row {row}: {column} is missing.", row=row, column=column.name))
    return unfit(
        text(
            "Row {row}: {value} is not allowed in {column} ({allowed}).",
            row=row,
            value=float(values[row, place]),
            column=column.name,
            allowed=_allowed(column),
        )
    )


def _allowed(column: Column) -> str:
    if column.is_category:
        return f"0..{len(column.categories) - 1}"
    low = "-inf" if column.low is None else f"{column.low:g}"
    high = "inf" if column.high is None else f"{column.high:g}"
    return f"{column.kind}, {low}..{high}"
