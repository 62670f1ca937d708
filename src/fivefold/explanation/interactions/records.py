"""Interactions as records, CSV and JSON: every error beside its value, what is not known left empty."""

import csv
import json
from collections.abc import Iterator
from io import StringIO
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from fivefold.core.atomic import write_atomic

if TYPE_CHECKING:
    from fivefold.explanation.interactions.result import Interactions

FORM = "fivefold.interactions/1"
COLUMNS = (
    *("row", "output", "feature", "other", "interaction", "error", "low", "high"),
    *("base", "score", "is_converged"),
)
TENSORS = ("values", "error", "base", "score", "is_converged")


def records_of(found: "Interactions") -> Iterator[dict[str, object]]:
    """Yield one record per row, output and pair, with the names of `COLUMNS`."""
    n, names, half = found.groups.n, found.names, found.half_width
    for row in range(len(found.values)):
        for o, output in enumerate(found.outputs):
            ends = (float(found.base[row, o]), float(found.score[row, o]))
            for i in range(n):
                for j in range(i, n):
                    value = float(found.values[row, i, j, o])
                    error = None if found.error is None else float(found.error[row, i, j, o])
                    width = None if half is None else float(half[row, i, j, o])
                    low, high = (None, None) if width is None else (value - width, value + width)
                    line = (row, output, names[i], names[j], value, error, low, high, *ends)
                    yield dict(zip(COLUMNS, (*line, bool(found.is_converged[row])), strict=True))


def csv_of(found: "Interactions", path: Path | None) -> str:
    """Return the records as CSV in full precision."""
    file = StringIO(newline="")
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records_of(found))
    return _written(file.getvalue(), path)


def json_of(found: "Interactions", path: Path | None) -> str:
    """Return everything as JSON."""
    told: dict[str, Any] = {"form": FORM, "method": found.method, "unit": str(found.unit)}
    told |= {"reason": str(found.reason), "n_evaluations": found.n_evaluations}
    told |= {"outputs": list(found.outputs), "features": list(found.names)}
    told |= {name: _plain(getattr(found, name)) for name in TENSORS}
    return _written(json.dumps(told, ensure_ascii=False, allow_nan=False) + "\n", path)


def _plain(values: Tensor | None) -> Any:
    return None if values is None else _finite(values.tolist())


def _finite(told: Any) -> Any:
    if isinstance(told, list):
        return [_finite(one) for one in told]
    return told if isfinite(told) else str(told)


def _written(told: str, path: Path | None) -> str:
    if path is not None:
        write_atomic(path, told)
    return told
