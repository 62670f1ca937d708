"""Waterfall: from the base value to the score of one row, feature by feature (Lundberg and Lee, 2017, additivity)."""

from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import torch

from fivefold.core.text import text
from fivefold.explanation.pictures.labels import labels
from fivefold.explanation.pictures.letters import cells, families, number
from fivefold.explanation.pictures.paper import (
    DOWN,
    GREY,
    INK,
    LETTER,
    QUIET,
    SIZE,
    SMALL,
    UNSURE,
    UP,
    axes,
    finish,
    height_of,
    inches,
    name_bars,
    note,
)
from fivefold.explanation.pictures.view import View, bound, ranked, row_header, together

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LACK = 1e-3  # of the longest bar: below it what values lack to add up is rounding


class Fall(NamedTuple):
    """One bar: its name, its length, half its interval (infinite if not known, 0 if none), its colour, and the whisker drawn."""

    name: str
    length: float
    half: float
    colour: str
    whisker: float = 0.0


def draw_waterfall(view: View, most: int, ax: "Axes | None") -> "Axes":
    """Draw one row; the base value is below, the score above, and what does not add up is a bar too."""
    falls = falls_of(view, most)
    names = [fall.name for fall in falls]
    ax = axes(ax, height_of([*names, ""]))
    columns = name_bars(ax, names)
    starts = list(accumulate((f.length for f in falls), initial=float(view.base[0])))
    _limits(ax, falls, starts, inches(ax) - columns * SIZE * LETTER)
    for place, (fall, at) in enumerate(zip(falls, starts, strict=False)):
        _bar(ax, view, place, at, fall)
    _ends(ax, view, starts[0], starts[-1], len(falls))
    ax.set_xlabel(view.unit)
    ax.grid(axis="x", color="0.92")
    return finish(ax, row_header(view), label_columns=columns)


def falls_of(view: View, most: int) -> list[Fall]:
    """Return the bars from the bottom up: what lacks, all other features, and the largest ones on top."""
    values = view.values
    kept = ranked(values[0], most)
    names = labels(view, kept.top)
    longest = max(float(values.abs().max()), 1e-12) if values.numel() else 1.0
    seen = torch.zeros_like(values) if view.seen is None else view.seen
    falls = [
        _fall(n, float(values[0, i]), float(seen[0, i]))
        for n, i in zip(names, kept.top, strict=True)
    ]
    if kept.rest:
        # no whisker for the sum of the others: what bounds it is so wide that it would squeeze the picture
        others = _fall(
            together(view, kept.rest),
            float(values[0, kept.rest].sum()),
            float(bound(seen, kept.rest)[0]),
        )
        falls.append(others._replace(whisker=0.0))
    lack = float(view.score[0] - view.base[0] - values.sum())
    if abs(lack) > LACK * longest:
        falls.append(Fall(view.say(text("does not add up")), lack, 0.0, GREY))
    return falls[::-1]


def _fall(name: str, length: float, half: float) -> Fall:
    return Fall(
        name, length, half, UP if length > 0 else DOWN, half if half < float("inf") else 0.0
    )


def _reach(fall: Fall, start: float) -> float:
    """Return where a bar with its whisker ends."""
    return start + fall.length + fall.whisker * (1 if fall.length >= 0 else -1)


def _number(fall: Fall) -> str:
    if not fall.half:
        return number(fall.length, signed=True)
    told = number(fall.half) if fall.half < float("inf") else "?"
    return f"{number(fall.length, signed=True)} ± {told}"


def _limits(ax: "Axes", falls: list[Fall], starts: list[float], wide: float) -> None:
    """Leave room for the numbers beside the bars; `wide` is how many inches there are."""
    ends = [
        e
        for f, s in zip(falls, starts, strict=False)
        for e in (s, _reach(f, s), s + f.length - f.whisker, s + f.length + f.whisker)
    ]
    low, high = min([*ends, starts[0]]), max([*ends, starts[0]])
    span = high - low if high > low else 1.0
    room = [
        max(
            (
                LETTER * SMALL * (cells(_number(f)) + 1)
                for f in falls
                if (f.length >= 0) == is_right
            ),
            default=0.1,
        )
        for is_right in (False, True)
    ]
    scale = span / max(wide - sum(room), wide / 3)
    reaches = [
        (_reach(f, s), LETTER * SMALL * (cells(_number(f)) + 1.5) * scale, f.length >= 0)
        for f, s in zip(falls, starts, strict=False)
    ]
    low = min([low - 0.02 * span, *(r - w for r, w, is_right in reaches if not is_right)])
    high = max([high + 0.02 * span, *(r + w for r, w, is_right in reaches if is_right)])
    ax.set_xlim(low, high)


def _bar(ax: "Axes", view: View, place: int, at: float, fall: Fall) -> None:
    (bar,) = ax.barh(place, fall.length, left=at, height=0.66, color=fall.colour)
    if not bool(view.is_converged[0]):
        bar.set(hatch=UNSURE, edgecolor="white", linewidth=0)
    end = at + fall.length
    ax.plot([end, end], [place - 0.33, place + 1.33], color=QUIET, linewidth=0.7, linestyle=":")
    if fall.whisker:
        ax.errorbar(
            end, place, xerr=fall.whisker, fmt="none", ecolor=INK, elinewidth=1.2, capsize=2.5
        )
    is_right = fall.length >= 0
    ax.annotate(
        _number(fall), (_reach(fall, at), place), (4 if is_right else -4, 0),
        textcoords="offset points", ha="left" if is_right else "right", va="center", size=SMALL, color=INK,
        family=families(),
    )  # fmt: skip


def _ends(ax: "Axes", view: View, start: float, end: float, n: int) -> None:
    """Mark the base value below and the score above, which lie outside the bars."""
    ax.set_ylim(-1.1, n + 0.1)
    ax.plot([start, start], [-0.75, -0.33], color=INK, linewidth=1)
    ax.plot([end, end], [n - 0.67, n - 0.25], color=INK, linewidth=1)
    note(ax, start, -0.92, view.say(text("base value {base}", base=number(start))), ha="center")
    note(ax, end, n - 0.08, view.say(text("score {score}", score=number(end))), ha="center")
