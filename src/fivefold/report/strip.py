"""Strips of points: one line per name, points beside one another moved apart (Wilkinson, 1999), so that none is hidden."""

from collections.abc import Mapping

from fivefold.core.chart import Cell, Chart

BINS = 70  # places beside one another on a line
LEVELS: Mapping[str, str] = {
    "low": "var(--c1)",
    "middle": "var(--c7)",
    "high": "var(--c2)",
    "no order": "var(--c3)",
    "missing": "var(--c4)",
}


def is_strip(chart: Chart) -> bool:
    """Return whether a chart is points over named lines."""
    return (
        chart.kind == "points"
        and any(isinstance(row[chart.y], str) for row in chart.rows)
        and not any(isinstance(row[chart.x], str) for row in chart.rows)
    )


def shifts(chart: Chart) -> list[float]:
    """Return how far each point is moved off its line, from -1 to 1."""
    across = [float(row[chart.x]) for row in chart.rows]
    low, span = min(across, default=0.0), max(across, default=0.0) - min(across, default=0.0)
    seen: dict[tuple[Cell, Cell, int], int] = {}
    ranks: list[int] = []
    for row, at in zip(chart.rows, across, strict=True):
        place = (row[chart.y], row.get(chart.panel, ""), round((at - low) / (span or 1.0) * BINS))
        k = seen.get(place, 0)
        ranks.append((k + 1) // 2 * (1 if k % 2 else -1))
        seen[place] = k + 1
    far = max(5, *(abs(r) for r in ranks)) if ranks else 1
    return [round(r / far, 3) for r in ranks]


def level_colours(chart: Chart) -> Mapping[str, str]:
    """Return the colour of each level of the series, from low to high; nothing if the series is not of levels."""
    seen = {str(row[chart.series]) for row in chart.rows} if chart.series else set[str]()
    return {name: LEVELS[name] for name in LEVELS if name in seen} if seen <= LEVELS.keys() else {}
