"""What the templates show: words and numbers already put in order, nothing measured and nothing decided."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from fivefold.core.evidence import Axis, Evidence
from fivefold.core.text import Language, text, translate
from fivefold.recipe import Run
from fivefold.report.check import Check
from fivefold.report.number import scale_for
from fivefold.report.row import Cell, Row, Table, by_axis
from fivefold.report.terminal import MARKS
from fivefold.report.words import capital, label, setting, title, words

Shown = dict[str, Any]
FIT = 7  # stages beside one another on a screen


def matrix_view(matrix: Table, language: Language, chosen: str = "") -> Shown:
    """Return the matrix as the template draws it."""
    stages = [
        {"name": s, "parent": p, "chosen": s == chosen}
        for s, p in zip(matrix.stages, matrix.parents, strict=True)
    ]
    axes = [
        {
            "axis": axis.value,
            "name": capital(translate(axis.value, language)),
            "rows": [_row(r, language, chosen) for r in rows],
        }
        for axis, rows in by_axis(matrix.rows).items()
        if rows
    ]
    return {"stages": stages, "axes": axes, "fits": len(stages) <= FIT}


def _row(row: Row, language: Language, chosen: str) -> Shown:
    found = row.measured
    return {
        "name": capital(title(row.name, language)),
        "setting": setting(row.setting, language),
        "unit": translate(row.scale.unit, language),
        "better": found[0].better if found else "",
        "comparison": row.is_comparison,
        "cells": [_cell(row, c, language) | {"chosen": c.stage == chosen} for c in row.cells],
    }


def _cell(row: Row, cell: Cell, language: Language) -> Shown:
    if cell.evidence is None:
        reason = words(cell.missing.reason, language) if cell.missing else ""
        return {"value": "", "tip": reason, "kind": "missing" if reason else "empty"}
    found, scale, changed = cell.evidence, row.scale, cell.change
    shown: Shown = {
        "value": scale.show(found.value),
        "bounds": scale.interval(found.low, found.high) if found.low != found.high else "",
        "kind": "plain",
        "tip": _tip(found, language),
        "whisker": _whisker(row, found),
        "mark": "",
    }
    if changed:
        shown |= {
            "kind": f"{changed.judgement} l{changed.level}",
            "mark": MARKS[changed.judgement],
            "judgement": translate(changed.judgement, language),
            "change": scale.show(changed.value, signed=True) if changed.judgement != "same" else "",
            "change_bounds": scale.interval(changed.low, changed.high, signed=True),
        }
    return shown


def _tip(found: Evidence, language: Language) -> str:
    parts = [f"n = {found.n:,}", translate(found.interval, language), words(found.note, language)]
    return " · ".join(p for p in parts if p)


def _whisker(row: Row, found: Evidence) -> tuple[float, float, float] | None:
    """Return where low, value and high lie on the common scale of the row, in percent; None off the scale."""
    high = max((abs(e.high) for e in row.measured if isfinite(e.high)), default=0.0)
    top = 1.0 if found.unit == "fraction" else high
    if not top or not all(isfinite(v) for v in (found.low, found.value, found.high)):
        return None
    low, value, high = (
        round(100 * min(1.0, max(0.0, v / top)), 1) for v in (found.low, found.value, found.high)
    )
    return low, value, high


def evidence_view(row: Row, language: Language) -> Shown:
    """Return one number at all stages, with everything that belongs to it."""
    scale = row.scale
    lines = [
        {
            "stage": c.stage,
            "value": scale.show(c.evidence.value),
            "interval": scale.interval(c.evidence.low, c.evidence.high)
            if c.evidence.low != c.evidence.high
            else "–",
            "how": translate(c.evidence.interval, language),
            "n": f"{c.evidence.n:,}",
            "floor": "" if c.evidence.floor is None else scale.show(c.evidence.floor),
            "ceiling": "" if c.evidence.ceiling is None else scale.show(c.evidence.ceiling),
            "note": words(c.evidence.note, language),
        }
        for c in row.cells
        if c.evidence
    ]
    notes = list(dict.fromkeys(str(line["note"]) for line in lines if line["note"]))
    return {
        "name": capital(label(row, language)),
        "unit": translate(scale.unit, language),
        "better": row.measured[0].better if row.measured else "",
        "comparison": row.is_comparison,
        "lines": lines,
        "notes": notes if len(notes) == 1 else [],
        "own_notes": len(notes) > 1,
    }


def missing_view(run: Run, matrix: Table, language: Language) -> list[Shown]:
    """Return every reason why something was not measured, and the axes of which nothing is known."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for row in matrix.rows:
        for cell in row.cells:
            if cell.missing:
                key = (
                    capital(translate(row.axis.value, language)),
                    capital(label(row, language)),
                    words(cell.missing.reason, language),
                )
                found.setdefault(key, []).append(cell.stage)
    shown: list[Shown] = [
        {"axis": a, "name": n, "reason": r, "stages": s} for (a, n, r), s in found.items()
    ]
    known = {r.axis for r in matrix.rows if r.measured}
    every = [s.name for s in run.stages]
    nothing = text("No probe in the recipe gave any number of this promise.").words(language)
    shown += [
        {
            "axis": capital(translate(axis.value, language)),
            "name": "–",
            "reason": nothing,
            "stages": every,
        }
        for axis in Axis
        if axis not in known
    ]
    return shown


def tiles_view(matrix: Table, language: Language, chosen: str) -> list[Shown]:
    """Return one summary per axis: the first number at the chosen stage, and how many moved which way."""
    return [_tile(axis, rows, language, chosen) for axis, rows in by_axis(matrix.rows).items()]


def _tile(axis: Axis, rows: tuple[Row, ...], language: Language, chosen: str) -> Shown:
    pairs = [
        (r, c)
        for r in rows
        for c in r.cells
        if c.stage == chosen and c.evidence and not r.is_comparison
    ]
    judged = [c.change.judgement for _, c in pairs if c.change]
    tile: Shown = {
        "axis": axis.value,
        "name": capital(translate(axis.value, language)),
        "measured": len(pairs),
    }
    tile |= {"better": judged.count("better"), "worse": judged.count("worse")}
    tile |= {"is_compared": bool(judged)}
    if pairs:
        row, cell = pairs[0]
        tile |= {"what": label(row, language), "cell": _cell(row, cell, language)}
        tile |= {
            "unit": "" if row.scale.unit == "fraction" else translate(row.scale.unit, language)
        }
    return tile


def verdict_view(checks: Sequence[Check], language: Language) -> Shown:
    """Return the checks of a verdict as the template shows them."""
    failed = sum(not c.passed for c in checks)
    return {
        "passed": not failed,
        "failed": failed,
        "total": len(checks),
        "checks": [_check(c, language) for c in checks],
    }


def _check(check: Check, language: Language) -> Shown:
    numbers = [v for v in (check.value, check.limit) if v is not None]
    scale, signed = scale_for(check.unit, numbers), check.rule in ("max_drop", "max_rise")
    axis, _, rest = check.key.partition(".")
    name, _, inside = rest.partition("[")
    measured = check.low is not None and check.low != check.high
    return {
        "axis": capital(translate(axis, language)),
        "name": title(name, language),
        "setting": setting(inside.rstrip("]"), language),
        "stage": check.stage,
        "against": check.against,
        "rule": translate(check.rule.replace("_", " "), language),
        "limit": scale.show(check.limit),
        "unit": "" if scale.unit == "fraction" else translate(scale.unit, language),
        "value": scale.show(check.value, signed=signed) if check.value is not None else "–",
        "bounds": scale.interval(check.low or 0.0, check.high or 0.0, signed=signed)
        if measured
        else "",
        "status": check.status,
        "told": translate(check.status, language),
        "passed": check.passed,
        "required": check.required,
        "reason": words(check.reason, language),
    }
