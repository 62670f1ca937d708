"""The pictures of one number at all stages, brought together and kept small."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from fivefold.core.chart import Cell, Chart
from fivefold.report.row import Row

MOST_PER_LINE = 120  # points; more cannot be seen at this size
MOST_PER_CHART = 1500


class Picture(NamedTuple):
    """One chart to draw; `stage` is "" if it shows several stages at once."""

    stage: str
    chart: Chart


def pictures(row: Row) -> list[Picture]:
    """Return the pictures of a row: one with a line per stage where that can be read, else one per stage."""
    found = [(c.stage, c.evidence.chart) for c in row.cells if c.evidence and c.evidence.chart]
    if len(found) > 1 and _can_share(found[0][1]):
        return [Picture("", _shared(found))]
    return [Picture(stage, _small(chart)) for stage, chart in found]


def _can_share(chart: Chart) -> bool:
    few = len({str(r[chart.x]) for r in chart.rows}) <= 6
    return not (chart.series or chart.panel) and (
        chart.kind == "line" or (chart.kind == "bar" and few)
    )


def _shared(found: list[tuple[str, Chart]]) -> Chart:
    """Return one chart with the stages as its series; bands of many lines would only hide one another."""
    first, rows = found[0][1], list[Mapping[str, Cell]]()
    for stage, chart in found:
        if (chart.x, chart.y, chart.kind) == (first.x, first.y, first.kind):
            rows += [{**r, "stage": stage} for r in _thinned(chart.rows, MOST_PER_LINE)]
    bands = {"low": "", "high": ""} if first.kind == "line" and len(found) > 2 else {}
    return replace(first, rows=tuple(rows), series="stage", **bands)


def _small(chart: Chart) -> Chart:
    if chart.kind != "line":
        return replace(chart, rows=_thinned(chart.rows, MOST_PER_CHART))
    lines: dict[tuple[Cell, Cell], list[Mapping[str, Cell]]] = {}
    for row in chart.rows:
        lines.setdefault((row.get(chart.series, ""), row.get(chart.panel, "")), []).append(row)
    kept = [r for line in lines.values() for r in _thinned(tuple(line), MOST_PER_LINE)]
    return replace(chart, rows=tuple(kept))


def _thinned(rows: tuple[Mapping[str, Cell], ...], most: int) -> tuple[Mapping[str, Cell], ...]:
    """Return at most `most` rows, evenly spaced, the first and last among them."""
    if len(rows) <= most:
        return rows
    return tuple(rows[round(i * (len(rows) - 1) / (most - 1))] for i in range(most))
