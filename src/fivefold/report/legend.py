"""How series are told apart: by colour, by dashes that survive a black-and-white print, and in one legend for both."""

from typing import Any, TypeAlias

from fivefold.core.chart import Chart
from fivefold.core.text import Language
from fivefold.report.strip import level_colours
from fivefold.report.words import title

Spec: TypeAlias = dict[str, Any]
DASHES = [[1, 0], [7, 4], [2, 3], [9, 3, 2, 3], [12, 4], [4, 2], [1, 5], [6, 2, 1, 2]]


def by_series(chart: Chart, language: Language) -> Spec:
    """Return the channel that tells the series apart, in their order."""
    told = None if chart.series == "stage" else title(chart.series, language)
    return {"field": "series", "type": "nominal", "sort": None, "title": told}


def coloured(chart: Chart, language: Language) -> Spec:
    """Return the legend of the colours, and the colours where the series are levels from low to high."""
    if colours := level_colours(chart):
        told = [title(level, language) for level in colours]
        return {
            "legend": _legend(chart),
            "scale": {"domain": told, "range": list(colours.values())},
        }
    if chart.kind == "line":
        return {"legend": _legend(chart), "scale": {"domain": _names(chart, language)}}
    return {"legend": _legend(chart)}


def dashed(chart: Chart, language: Language) -> Spec:
    """Return the dashes of lines; the same domain and legend as the colours, so that they share one."""
    if chart.kind != "line" or not chart.series:
        return {}
    scale = {"range": DASHES, "domain": _names(chart, language)}
    return {"strokeDash": by_series(chart, language) | {"legend": _legend(chart), "scale": scale}}


def _names(chart: Chart, language: Language) -> list[Any]:
    """Return the series as the rows of the picture hold them."""
    seen = dict.fromkeys(row[chart.series] for row in chart.rows)
    return [title(v, language) if isinstance(v, str) else rounded(v) for v in seen]


def rounded(value: float) -> float | int | None:
    """Return a number in the digits that can be seen; None if there is no place for it."""
    if isinstance(value, int):
        return value
    short = float(f"{value:.5g}")
    return short if abs(short) < float("inf") else None


def _legend(chart: Chart) -> Spec:
    """Return a legend in two columns where the names are long, with dashes where lines have them."""
    names = {str(row[chart.series]) for row in chart.rows}
    legend: Spec = {"columns": 2} if sum(len(n) + 4 for n in names) > 58 else {}
    return legend | ({"symbolType": "stroke", "symbolSize": 500} if chart.kind == "line" else {})
