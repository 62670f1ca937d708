"""Attributions as a table: one line per row, output and feature, with every error beside its value."""

import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from fivefold.core.atomic import write_atomic
from fivefold.explanation.pictures.labels import column_of, raw_values, value_of
from fivefold.explanation.pictures.view import View

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame

    from fivefold.explanation.attribution import Attribution

COLUMNS = (
    *("row", "output", "feature", "value", "attribution", "error", "low", "high"),
    *("base", "score", "is_converged"),
)


def records_of(found: "Attribution") -> Iterator[tuple[object, ...]]:
    """Yield the lines, with the columns of `COLUMNS`.

    `value` is what the feature was, as people know it; `low` and `high` are the 95 % interval. What is
    not known is None: the value where the examples are not kept, the error where nobody estimated it,
    the interval where the error is no standard error.
    """
    told = _values(found)
    half = found.half_width if found.is_standard else None
    for row in range(len(found.values)):
        for o, output in enumerate(found.outputs):
            base, score = float(found.base[row, o]), float(found.score[row, o])
            for i, feature in enumerate(found.names):
                value = float(found.values[row, i, o])
                error = None if found.error is None else float(found.error[row, i, o])
                width = None if half is None else float(half[row, i, o])
                ends = (None, None) if width is None else (value - width, value + width)
                shown = told[row][i] if told else None
                sure = bool(found.is_converged[row])
                yield (row, output, feature, shown, value, error, *ends, base, score, sure)


def frame_of(found: "Attribution", backend: Any) -> "IntoDataFrame":
    """Return the lines as a table of `backend`."""
    import narwhals as nw

    lines = list(records_of(found))
    columns = (
        dict(zip(COLUMNS, map(list, zip(*lines, strict=True)), strict=True))
        if lines
        else {c: [] for c in COLUMNS}
    )
    kinds = dict.fromkeys(COLUMNS, nw.Float64()) | dict.fromkeys(
        ("output", "feature", "value"), nw.String()
    )
    schema = kinds | {"row": nw.Int64(), "is_converged": nw.Boolean()}
    return nw.from_dict(columns, {c: schema[c] for c in COLUMNS}, backend=backend).to_native()


def csv_of(found: "Attribution", path: Path | None) -> str:
    """Return the lines as CSV in full precision; what is not known is empty."""
    file = StringIO(newline="")
    writer = csv.writer(file)  # with "\r\n", so that a "\r" inside a name is quoted
    writer.writerow(COLUMNS)
    writer.writerows(records_of(found))
    if path is not None:
        write_atomic(path, file.getvalue())
    return file.getvalue()


def _values(found: "Attribution") -> list[list[str | None]]:
    """Return the value of each feature of each row in words; nothing if the examples are not kept."""
    view = View(found, tuple(range(len(found.values))), 0, "en")
    raw = raw_values(view)
    if raw is None:
        return []
    columns = [column_of(view, i) for i in range(found.groups.n)]
    return [
        [
            None if c is None else _exact(value_of(c, v), c.is_category, v)
            for c, v in zip(columns, line, strict=True)
        ]
        for line in raw.tolist()
    ]


def _exact(told: str, is_category: bool, value: float) -> str | None:
    """Return the name of a category, or a number as it is; None where it is missing."""
    if value != value:
        return None
    return told if is_category else repr(float(torch.tensor(value)))
