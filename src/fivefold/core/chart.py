"""A small table that wants to be a picture. Probes make it, the report draws it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from fivefold.core.text import Text

Cell: TypeAlias = str | int | float
MOST_ROWS = 5_000


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One picture's worth of data.

    Attributes:
        title: What it shows.
        kind: Line, bar or points over `x` and `y`; heat is a grid of `value` over `x` and `y`.
        x: Column on the horizontal axis; also its label.
        y: Column on the vertical axis; also its label.
        rows: The table, at most 5,000 rows.
        series: Column that tells lines or colours apart; "" if there is one.
        panel: Column that splits the picture into small ones; "" if there is one.
        low: Column with the lower bound of `y`; "" if none.
        high: Column with the upper bound of `y`; "" if none.
        diagonal: Whether to draw the line y = x for comparison.
    """

    title: Text
    kind: Literal["line", "bar", "points", "heat"]
    x: str
    y: str
    rows: tuple[Mapping[str, Cell], ...]
    series: str = ""
    panel: str = ""
    low: str = ""
    high: str = ""
    diagonal: bool = False

    def __post_init__(self) -> None:
        if len(self.rows) > MOST_ROWS:
            raise ValueError(f"A chart holds at most {MOST_ROWS} rows, not {len(self.rows)}.")
        wanted = {self.x, self.y, self.series, self.panel, self.low, self.high} - {""}
        wanted |= {"value"} if self.kind == "heat" else set()
        for row in self.rows[:1]:
            if lacking := wanted - row.keys():
                raise ValueError(f"The chart's rows lack {sorted(lacking)}.")
