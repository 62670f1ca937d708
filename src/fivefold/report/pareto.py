"""What was traded for what: two numbers against each other, and all promises side by side (Inselberg, 1985)."""

import re
from math import inf, isfinite
from typing import Any, NamedTuple

from fivefold.core.text import Language, text, translate
from fivefold.recipe.stage import START
from fivefold.report.chart import SCHEMA, Spec
from fivefold.report.row import Row, Table
from fivefold.report.theme import config
from fivefold.report.words import label

PER_AXIS = 2
BEYOND = 0.15  # an infinite number is drawn this share of the range beyond the largest finite one
CORNERS = ((9, -10, "left"), (-9, 14, "right"), (9, 15, "left"))
CHINESE, MOST_WIDE = 0x2E80, 13  # letters
FIRST_CHOICE = ("learning.accuracy", "generalization.robust_accuracy")


class Measure(NamedTuple):
    """A row that can be an axis of a picture; `field` is its name inside the picture."""

    field: str
    label: str
    row: Row


def measures(matrix: Table, language: Language) -> list[Measure]:
    """Return the rows that tell at least two stages apart."""
    fitting = [
        r for r in matrix.rows if len(r.measured) > 1 and any(isfinite(e.value) for e in r.measured)
    ]
    return [Measure(f"m{i}", _label(r, language), r) for i, r in enumerate(fitting)]


def chosen(found: list[Measure]) -> tuple[str, str]:
    """Return the fields shown at first: accuracy against robust accuracy where there are both."""
    named = [
        m.field for wanted in FIRST_CHOICE for m in found if m.row.key.partition("[")[0] == wanted
    ]
    fields = list(dict.fromkeys([*named, *(m.field for m in found)]))
    return fields[0], fields[1]


def pareto(matrix: Table, language: Language) -> Spec | None:
    """Return stages as points over two numbers that can be chosen; None if there are not two numbers."""
    found = measures(matrix, language)
    if len(found) < 2:
        return None
    x, y = chosen(found)
    params: list[Spec] = [
        {"name": "xkey", "value": x},
        {"name": "ykey", "value": y},
        {"name": "names", "value": {m.field: m.label for m in found}},
        {"name": "signs", "value": {m.field: _sign(m.row) for m in found}},
    ]
    rows = [_point(s, found) for s in matrix.stages if s != START]
    return {
        "$schema": SCHEMA, "config": config(), "width": 560, "height": 340,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "description": text("Stages over two numbers").words(language),
        "params": params, "data": {"values": rows}, "transform": _frontier(), "layer": _pareto_layers(language),
    }  # fmt: skip


def parallel(matrix: Table, language: Language) -> Spec | None:
    """Return one line per stage across the promises; None if there is nothing to compare."""
    shown = _headlines(measures(matrix, language))
    rows = [r for m in shown for r in _scores(m, language)]
    if len(shown) < 2:
        return None
    pick = {"name": "pick", "select": {"type": "point", "fields": ["stage"]}, "bind": "legend"}
    color = {"field": "stage", "type": "nominal", "sort": None, "title": None}
    x = {"field": "measure", "type": "ordinal", "sort": None, "title": None, "scale": {"padding": 0.3},
         "axis": {"labelAngle": 0, "grid": True, "labelExpr": "split(datum.label, '\\n')", "labelFontSize": 11}}  # fmt: skip
    y = {
        "field": "score",
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "title": text("better ↑").words(language),
        "axis": {"format": ".1f"},
    }
    faded = {"condition": {"param": "pick", "value": 1}, "value": 0.12}
    tooltip = [
        {"field": f, "type": "nominal", "title": translate(f, language)}
        for f in ("stage", "measure", "value")
    ]
    base = {"x": x, "y": y, "color": color, "opacity": faded, "tooltip": tooltip}
    line = {"mark": {"type": "line", "strokeWidth": 2.4}, "encoding": base, "params": [pick]}
    dots = {"mark": {"type": "point", "filled": True, "size": 60}, "encoding": base}
    return {
        "$schema": SCHEMA, "config": config(), "width": 900, "height": 300,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "description": text("Every stage across the promises").words(language),
        "data": {"values": rows}, "layer": [line, dots],
    }  # fmt: skip


def _label(row: Row, language: Language) -> str:
    name, unit = label(row, language), translate(row.scale.unit, language)
    arrow = "↑" if _sign(row) > 0 else "↓"
    return f"{name} {arrow}" + (f" · {unit}" if unit else "")


def _sign(row: Row) -> int:
    return 1 if row.measured[0].better == "higher" else -1


def _point(stage: str, found: list[Measure]) -> dict[str, Any]:
    told: dict[str, Any] = {"stage": stage}
    for field, _, row in found:
        evidence = {c.stage: c.evidence for c in row.cells}[stage]
        if evidence is None:
            continue
        scale, edge = row.scale, _edge(row)
        near = {"": evidence.value, "l": evidence.low, "h": evidence.high}
        told |= {field + k: (v if isfinite(v) else edge) / scale.factor for k, v in near.items()}
        told[field + "t"] = (
            f"{scale.show(evidence.value)} {scale.interval(evidence.low, evidence.high)}"
        )
    return told


def _edge(row: Row) -> float:
    """Return where an infinite number is drawn."""
    finite = [e.value for e in row.measured if isfinite(e.value)]
    low, high = min(finite), max(finite)
    return high + BEYOND * ((high - low) or abs(high) or 1.0)


def _frontier() -> list[Spec]:
    """Return the transform that marks stages which no other beats on both numbers."""
    names = {"x": "datum[xkey]", "y": "datum[ykey]", "xl": "datum[xkey + 'l']", "xh": "datum[xkey + 'h']",
             "yl": "datum[ykey + 'l']", "yh": "datum[ykey + 'h']", "xt": "datum[xkey + 't']",
             "yt": "datum[ykey + 't']", "gx": "signs[xkey] * datum[xkey]", "gy": "signs[ykey] * datum[ykey]"}  # fmt: skip
    known = "isValid(datum[xkey]) && isValid(datum[ykey])"
    best = {"op": "max", "field": "gy", "as": "best"}
    ahead = [
        {"op": "lag", "field": "best", "param": 1, "as": "ahead"},
        {"op": "row_number", "as": "place"},
    ]
    order = [{"field": "gx", "order": "descending"}, {"field": "gy", "order": "descending"}]
    return [
        {"filter": known},
        *({"calculate": expression, "as": name} for name, expression in names.items()),
        {"window": [best], "sort": order, "frame": [None, 0], "ignorePeers": True},
        {"window": ahead, "sort": order, "ignorePeers": True},
        {"calculate": "datum.place == 1 || datum.gy > datum.ahead", "as": "front"},
    ]


def _pareto_layers(language: Language) -> list[Spec]:
    x = {
        "field": "x",
        "type": "quantitative",
        "scale": {"zero": False, "padding": 36, "nice": False},
        "title": None,
        "axis": {"tickCount": 8},
    }
    y = {
        "field": "y",
        "type": "quantitative",
        "scale": {"zero": False, "padding": 24, "nice": False},
        "title": None,
        "axis": {"tickCount": 6},
    }
    front = {"test": "datum.front", "value": "var(--c1)"}
    color = {"condition": front, "value": "var(--soft)"}
    tooltip = [
        {"field": f, "type": "nominal", "title": n}
        for f, n in (("stage", translate("stage", language)), ("xt", "x"), ("yt", "y"))
    ]
    point = {"x": x, "y": y, "color": color, "tooltip": tooltip}
    bounds = {"type": "rule", "strokeWidth": 1.4, "opacity": 0.55}
    line = {
        "type": "line",
        "color": "var(--c1)",
        "opacity": 0.35,
        "strokeDash": [4, 4],
        "strokeWidth": 1.6,
    }
    return [
        {"transform": [{"filter": "datum.front"}], "mark": line, "encoding": {"x": x, "y": y, "order": {"field": "x"}}},
        {"mark": bounds, "encoding": {"x": x | {"field": "xl"}, "x2": {"field": "xh"}, "y": y, "color": color}},
        {"mark": bounds, "encoding": {"x": x, "y": y | {"field": "yl"}, "y2": {"field": "yh"}, "color": color}},
        {"mark": {"type": "point", "filled": True, "size": 110, "opacity": 1}, "encoding": point},
        *(_names(x, y, turn) for turn in range(len(CORNERS))),
        _corner("names[xkey]", {"x": {"value": "width"}, "y": {"value": "height"}}, align="right", dy=34),
        _corner("names[ykey]", {"x": {"value": 0}, "y": {"value": 0}}, align="left", dy=-12),
    ]  # fmt: skip


def _names(x: Spec, y: Spec, turn: int) -> Spec:
    """Return the names of every third stage, each third on another side so that neighbours stay readable."""
    dx, dy, align = CORNERS[turn]
    mark = {"type": "text", "dx": dx, "dy": dy, "align": align, "fontWeight": 600, "fontSize": 12}
    mine = [{"filter": f"datum.place % {len(CORNERS)} == {turn}"}]
    return {
        "transform": mine,
        "mark": mark,
        "encoding": {"x": x, "y": y, "text": {"field": "stage"}},
    }


def _corner(expression: str, place: Spec, *, align: str, dy: int) -> Spec:
    """Return the name of an axis, which changes with the choice as an axis title cannot."""
    mark = {
        "type": "text",
        "align": align,
        "dy": dy,
        "color": "var(--soft)",
        "fontWeight": 500,
        "text": {"expr": expression},
    }
    return {"data": {"values": [{}]}, "mark": mark, "encoding": place}


def _headlines(found: list[Measure]) -> list[Measure]:
    axes: dict[str, list[Measure]] = {}
    for measure in found:
        if not measure.row.is_comparison:
            axes.setdefault(measure.row.axis, []).append(measure)
    return [m for of_axis in axes.values() for m in of_axis[:PER_AXIS]]


def _scores(measure: Measure, language: Language) -> list[dict[str, Any]]:
    name = _wrapped(label(measure.row, language))
    row, trained = measure.row, [c for c in measure.row.cells if c.evidence and c.stage != START]
    values = [c.evidence.value for c in trained if c.evidence]
    return [
        {"stage": c.stage, "measure": name, "score": round(score(row, c.evidence.value, values), 4),
         "value": f"{row.scale.show(c.evidence.value)} {row.scale.interval(c.evidence.low, c.evidence.high)}"}
        for c in trained if c.evidence
    ]  # fmt: skip


def _wrapped(told: str) -> str:
    """Break a label into short lines: between words, or after any Chinese character."""
    lines, room = [""], 0
    for piece in re.findall(r"[^\s\u2e80-\uffff]+|\s|[\u2e80-\uffff][，）。、]*", told):
        wide = sum(1 + (ord(c) >= CHINESE) for c in piece)
        if room + wide > MOST_WIDE and lines[-1].strip():
            lines, room = [*lines, ""], 0
        lines[-1] += piece if lines[-1] or piece.strip() else ""
        room += wide
    return "\n".join(line.strip() for line in lines)


def score(row: Row, value: float, values: list[float]) -> float:
    """Return how good `value` is in [0, 1]: a fraction as it is, anything else as a share of the best."""
    is_higher = _sign(row) > 0
    if row.scale.unit == "fraction":
        return min(1.0, max(0.0, value if is_higher else 1 - value))
    best = max(values) if is_higher else min(values)
    if value == best:
        return 1.0
    worst, good = (value, best) if is_higher else (best, value)
    return max(0.0, worst / good) if 0 < good < inf and worst >= 0 else 0.0
