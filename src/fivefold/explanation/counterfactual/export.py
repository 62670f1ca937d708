"""Counterfactuals as files."""

import csv
import io
import json
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fivefold.core.atomic import write_atomic
from fivefold.explanation.counterfactual.told import failure, outcome, pair

if TYPE_CHECKING:
    from fivefold.explanation.counterfactual.answer import Counterfactuals

HEAD = (
    "row",
    "answer",
    "column",
    "from",
    "to",
    "before",
    "after",
    "distance",
    "outlier",
    "is_plausible",
)


def kept(told: str, path: Path | None) -> str:
    """Return `told`, written to `path` if there is one."""
    if path is not None:
        write_atomic(path, told)
    return told


def as_json(found: "Counterfactuals") -> str:
    """Return everything as JSON; what does not exist is null."""
    rows = [_row(found, row) for row in range(len(found.x))]
    limit = found.seconds if isfinite(found.seconds) else None
    whole = {"seconds": limit, "rows": rows}
    return json.dumps(whole, ensure_ascii=False, allow_nan=False)


def as_csv(found: "Counterfactuals") -> str:
    """Return one line per changed column of each answer; rows without an answer have no line."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(HEAD)
    for row, answer in found.found.nonzero().tolist():
        told = (outcome(found, row), outcome(found, row, answer), *_judged(found, row, answer))
        for change in found.changes(row, answer):
            old, new = pair(found.schema, change)
            writer.writerow((row, answer, change.column, old, new, *told))
    return file.getvalue()


def _row(found: "Counterfactuals", row: int) -> dict[str, Any]:
    answers = [a for a in range(found.found.shape[1]) if found.found[row, a]]
    has_answer = not found.before[row].isnan().any()
    return {
        "row": row,
        "before": outcome(found, row) if has_answer else None,
        "is_stopped": bool(found.is_stopped[row]),
        "n_evaluations": int(found.n_evaluations[row]),
        "why_none": None if answers else failure(found, row).words(),
        "answers": [_answer(found, row, a) for a in answers],
    }


def _answer(found: "Counterfactuals", row: int, answer: int) -> dict[str, Any]:
    distance, outlier, is_plausible = _judged(found, row, answer)
    return {
        "after": outcome(found, row, answer),
        "distance": distance,
        "outlier": outlier,
        "is_plausible": is_plausible,
        "changes": [
            {"column": c.column, "from": _number(c.old), "to": _number(c.new)}
            for c in found.changes(row, answer)
        ],
    }


def _judged(
    found: "Counterfactuals", row: int, answer: int
) -> tuple[float, float | None, bool | None]:
    outlier = _number(float(found.outlier[row, answer]))
    is_plausible = None if outlier is None else bool(found.is_plausible[row, answer])
    return float(found.distance[row, answer]), outlier, is_plausible


def _number(value: float) -> float | None:
    return None if value != value else value
