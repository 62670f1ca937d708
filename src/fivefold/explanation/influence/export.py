"""Influences as JSON and CSV: the strongest training examples of every row."""

import csv
from io import StringIO
from typing import TYPE_CHECKING, Any

from fivefold.core import jsonfile
from fivefold.explanation.influence.page import warning
from fivefold.explanation.influence.ranking import Example, label_of

if TYPE_CHECKING:
    from fivefold.explanation.influence.influence import Influence


def as_json(found: "Influence", k: int) -> str:
    """Return the strongest `k` on each side of every row."""
    return jsonfile.to_json(
        {
            "method": found.method,
            "unit": str(found.unit),
            "limits": [str(t) for t in found.limits],
            "warning": str(warning()),
            "n_train": found.train.size,
            "n_models": found.n_models,
            "rows": [_row(found, i, k) for i in range(found.x.size)],
        }
    )


def as_csv(found: "Influence", k: int) -> str:
    """Return one line per row and example; cells that a spreadsheet would run are quoted."""
    written = StringIO()
    names = list(_all(found, 0, k)[0].columns) if _all(found, 0, k) else []
    to = csv.writer(written, lineterminator="\n")
    to.writerow(["row", "asked_about", "train_row", "influence", "error", "label", *names])
    for row in range(found.x.size):
        about = label_of(found.task, found.x.y[row])
        for e in _all(found, row, k):
            error = "" if e.error is None else e.error
            cells = [_safe(v) for v in (e.label, *e.columns.values())]
            to.writerow([row, _safe(about), e.train_row, e.value, error, *cells])
    return written.getvalue()


def _row(found: "Influence", row: int, k: int) -> dict[str, Any]:
    top = found.top(row, k)
    settled = None if found.is_converged is None else bool(found.is_converged[row])
    return {
        "asked_about": label_of(found.task, found.x.y[row]),
        "is_converged": settled,
        "helpful": list(top.helpful),
        "harmful": list(top.harmful),
    }


def _all(found: "Influence", row: int, k: int) -> list[Example]:
    top = found.top(row, k)
    return [*top.helpful, *top.harmful[::-1]]


def _safe(value: str | float) -> str | float:
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value
