"""A `Chart` as a Vega-Lite picture (Satyanarayan et al., 2017): lines with bands, bars with whiskers, points, heat."""

from math import isfinite
from typing import TYPE_CHECKING, Any, TypeAlias

from fivefold.core.chart import Chart
from fivefold.core.text import Language, translate
from fivefold.report.legend import by_series, coloured, dashed, rounded
from fivefold.report.strip import is_strip, shifts
from fivefold.report.theme import config, written_in
from fivefold.report.words import title, words

if TYPE_CHECKING:
    from altair import Chart as AltairChart

Spec: TypeAlias = dict[str, Any]
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.4.1.json"
WIDTH, HEIGHT = 380, 230
NAMED, STRIP = 26, 30  # height of one lying bar with its name, and of one line of points
# names in lines of about 26 letters or 13 Chinese ones: nothing is cut
FOLDED = r"split(replace(replace(datum.label, /([\u2e80-\uffff]{13})/g, '$1\n'), /(.{14,26}?)([\s_])/g, '$1$2\n'), '\n')"


def draw(chart: Chart, language: Language = "en") -> "AltairChart":
    """Return the picture as an Altair chart, for a notebook."""
    import altair

    return altair.Chart.from_dict(spec(chart, language))


def svg(picture: Spec, *, standing_alone: bool = True) -> str:
    """Return a picture as SVG; its colours stay CSS variables unless it is `standing_alone`."""
    from vl_convert import vegalite_to_svg

    drawn = vegalite_to_svg(picture, vl_version="6.4")
    return written_in(drawn) if standing_alone else drawn


def spec(chart: Chart, language: Language = "en") -> Spec:
    """Return the Vega-Lite specification of `chart`.

    Columns are renamed `x`, `y`, `series`, ...: their own names may hold anything, and Vega reads dots
    and brackets in a field as a path.
    """
    inner = _heat(chart, language) if chart.kind == "heat" else _layers(chart, language)
    inner = _turned(inner) if _lies(chart) else inner
    data = {"values": [_row(chart, dict(row), language) for row in chart.rows]}
    if is_strip(chart):
        data["values"] = [
            v | {"shift": s} for v, s in zip(data["values"], shifts(chart), strict=True)
        ]
    top: Spec = {
        "$schema": SCHEMA,
        "config": config(),
        "data": data,
        "description": words(chart.title, language),
    }
    if not chart.panel:
        return (
            top
            | inner
            | {
                "width": WIDTH,
                "height": _height(chart),
                "autosize": {"type": "fit-x", "contains": "padding"},
            }
        )
    facet = {"field": "panel", "type": "nominal", "title": None, "sort": None}
    return top | {"facet": facet, "columns": 3, "spec": inner | {"width": 150, "height": 130}}


def _row(chart: Chart, row: dict[str, Any], language: Language) -> Spec:
    roles = {"x": chart.x, "y": chart.y, "series": chart.series, "panel": chart.panel,
             "low": chart.low, "high": chart.high, "value": "value" if chart.kind == "heat" else ""}  # fmt: skip
    told = {role: row[column] for role, column in roles.items() if column}
    return {k: title(v, language) if isinstance(v, str) else rounded(v) for k, v in told.items()}


def _kind(chart: Chart, column: str) -> str:
    return "nominal" if any(isinstance(row[column], str) for row in chart.rows) else "quantitative"


def _place(chart: Chart, role: str, column: str, language: Language, **more: Any) -> Spec:
    kind = _kind(chart, column)
    is_grid = kind == "nominal" or (chart.kind == "bar" and role == "x") or chart.kind == "heat"
    if is_grid:
        beside = role == "y" or _lies(chart)
        axis: Spec = {"labelAngle": 0 if beside or _is_short(chart, column) else -35}
        axis |= (
            {"labelLimit": 0, "labelExpr": FOLDED}
            if beside and kind == "nominal"
            else {"labelLimit": 140}
        )
        name = None if beside and kind == "nominal" else title(column, language)
        place: Spec = {"field": role, "type": "ordinal", "title": name, "sort": None, "axis": axis}
        if role == "x" and _lies(chart):
            place["scale"] = {"paddingInner": 0.3, "paddingOuter": 0.15}
        return place | more
    scale = {"zero": False, "nice": True}
    place = {"field": role, "type": kind, "title": title(column, language), "scale": scale}
    return place | ({"axis": {"tickCount": 6}} if is_strip(chart) else {}) | more


def _lies(chart: Chart) -> bool:
    """Return whether bars lie: their names would not fit beside one another below bars that stand."""
    is_named = _kind(chart, chart.x) == "nominal"
    return chart.kind == "bar" and is_named and not chart.panel and not _is_short(chart, chart.x)


def _height(chart: Chart) -> int | Spec:
    if _lies(chart):
        n = len({str(row[chart.series]) for row in chart.rows}) if chart.series else 1
        return {"step": max(11, NAMED // n)}  # of one bar of a group
    return {"step": STRIP} if is_strip(chart) else HEIGHT


def _turned(inner: Spec) -> Spec:
    """Return the same layers with across and up exchanged."""
    other = {"x": "y", "x2": "y2", "y": "x", "y2": "x2", "xOffset": "yOffset"}
    layers = [
        layer | {"encoding": {other.get(k, k): v for k, v in layer["encoding"].items()}}
        for layer in inner["layer"]
    ]
    return inner | {"layer": layers}


def _is_short(chart: Chart, column: str) -> bool:
    told = {str(row[column]) for row in chart.rows}
    return sum(map(len, told)) <= 45


def _layers(chart: Chart, language: Language) -> Spec:
    x, y = _place(chart, "x", chart.x, language), _place(chart, "y", chart.y, language)
    base: Spec = {"x": x, "y": y, "tooltip": _tooltip(chart, language)}
    if chart.kind == "bar":
        y["scale"] = {"zero": True}
    if chart.series:
        name = by_series(chart, language)
        base |= {"color": name | coloured(chart, language)}
        base |= {"xOffset": name | {"title": None}} if chart.kind == "bar" else {}
    if is_strip(chart):
        base |= {
            "yOffset": {"field": "shift", "type": "quantitative", "scale": {"domain": [-1, 1]}}
        }
    layers = [_diagonal(chart)] if chart.diagonal else []
    if chart.low and chart.high:
        layers.append(_bounds(chart, base))
    layers.append({"mark": _mark(chart), "encoding": base | dashed(chart, language)})
    return {"layer": layers}


def _mark(chart: Chart) -> Spec:
    if chart.kind == "line":
        return {"type": "line", "color": "var(--c1)", "interpolate": "monotone", "clip": True}
    if chart.kind == "bar":
        return {"type": "bar", "color": "var(--c1)", "cornerRadiusEnd": 3, "opacity": 0.85}
    if is_strip(chart):
        return {"type": "circle", "color": "var(--c1)", "size": 26, "opacity": 0.8}
    return {"type": "point", "color": "var(--c1)", "filled": True, "size": 55, "opacity": 0.9}


def _bounds(chart: Chart, base: Spec) -> Spec:
    encoding = {k: v for k, v in base.items() if k != "tooltip"}
    encoding["y"] = base["y"] | {"field": "low"}
    encoding["y2"] = {"field": "high"}
    if chart.kind == "line":
        return {
            "mark": {
                "type": "area",
                "opacity": 0.14,
                "color": "var(--c1)",
                "interpolate": "monotone",
            },
            "encoding": encoding,
        }
    if chart.kind == "bar":
        encoding |= {"color": {"value": "var(--ink)"}}
    return {
        "mark": {"type": "rule", "strokeWidth": 1.6, "color": "var(--c1)", "opacity": 0.8},
        "encoding": encoding,
    }


def _diagonal(chart: Chart) -> Spec:
    """Return the line y = x, as far as the numbers of either axis reach."""
    told = [row.get(name) for row in chart.rows for name in (chart.x, chart.y)]
    reach = [v for v in told if isinstance(v, int | float) and isfinite(v)] or [0, 1]
    ends = {"values": [{"x": end, "y": end} for end in (min(reach), max(reach))]}
    encoding = {
        "x": {"field": "x", "type": "quantitative"},
        "y": {"field": "y", "type": "quantitative"},
    }
    return {
        "data": ends,
        "mark": {"type": "line", "strokeDash": [3, 4], "strokeWidth": 1.2, "color": "var(--soft)"},
        "encoding": encoding,
    }


def _heat(chart: Chart, language: Language) -> Spec:
    x, y = _place(chart, "x", chart.x, language), _place(chart, "y", chart.y, language)
    legend = {
        "orient": "right",
        "gradientLength": 120,
        "format": "~g",
        "title": translate("value", language),
    }
    color = {
        "field": "value",
        "type": "quantitative",
        "scale": {"scheme": "cividis"},
        "legend": legend,
    }
    encoding = {"x": x, "y": y, "color": color, "tooltip": _tooltip(chart, language)}
    return {
        "mark": {"type": "rect", "stroke": "var(--paper)", "strokeWidth": 1},
        "encoding": encoding,
    }


def _tooltip(chart: Chart, language: Language) -> list[Spec]:
    roles = (
        ("series", chart.series),
        ("x", chart.x),
        ("y", chart.y),
        ("low", chart.low),
        ("high", chart.high),
    )
    shown = [(role, column) for role, column in roles if column]
    shown += [("value", "value")] if chart.kind == "heat" else []
    return [
        {"field": role, "type": _kind(chart, column), "title": title(column, language)}
        | ({"format": ".4~g"} if _kind(chart, column) == "quantitative" else {})
        for role, column in shown
    ]
