"""Force: what pushes the score up, from the left, against what pushes it down, from the right, in one still bar (Lundberg et al., 2018)."""

from typing import TYPE_CHECKING, NamedTuple

from fivefold.core.text import text
from fivefold.explanation.pictures.letters import cells, folded, number
from fivefold.explanation.pictures.paper import (
    DOWN,
    INK,
    LETTER,
    QUIET,
    SMALL,
    UNSURE,
    UP,
    axes,
    finish,
    inches,
    note,
)
from fivefold.explanation.pictures.view import View, row_header
from fivefold.explanation.pictures.waterfall import Fall, falls_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STEP = 0.62  # between two levels of names


class Push(NamedTuple):
    """One part of the bar, from `start` to `end`."""

    fall: Fall
    start: float
    end: float


def draw_force(view: View, most: int, ax: "Axes | None") -> "Axes":
    """Draw one row; the longest parts lie where the two sides meet, at the score."""
    ups, downs = pushes_of(view, most)
    ax = axes(ax, 3.4)
    hatch = "" if bool(view.is_converged[0]) else UNSURE
    for push in (*ups, *downs):
        ax.barh(0, push.end - push.start, left=push.start, height=0.8, color=push.fall.colour, edgecolor="white", linewidth=1, hatch=hatch)  # fmt: skip
    _limits(ax, view, ups, downs)
    levels = _names(ax, ups, downs)
    _marks(ax, view)
    ax.set_ylim(-0.6 - STEP * levels, 1.35)
    ax.set_yticks([])
    ax.set_xlabel(view.unit)
    return finish(ax, row_header(view))


def pushes_of(view: View, most: int) -> tuple[list[Push], list[Push]]:
    """Return the parts that push up, ending at the score, and those that push down, starting from it."""
    falls = sorted(falls_of(view, most), key=lambda f: -abs(f.length))
    score = float(view.score[0])
    ups: list[Push] = []
    downs: list[Push] = []
    left = right = score
    for fall in falls:
        if fall.length > 0:
            ups.append(Push(fall, left - fall.length, left))
            left -= fall.length
        elif fall.length < 0:
            downs.append(Push(fall, right, right - fall.length))
            right -= fall.length
    return ups, downs


def _limits(ax: "Axes", view: View, ups: list[Push], downs: list[Push]) -> None:
    ends = [
        float(view.base[0]),
        float(view.score[0]),
        *(p.start for p in ups),
        *(p.end for p in downs),
    ]
    room = 0.06 * max(max(ends) - min(ends), 1e-9)
    ax.set_xlim(min(ends) - room, max(ends) + room)


def _names(ax: "Axes", ups: list[Push], downs: list[Push]) -> int:
    """Write the name of each part below it, on the first level where there is room; return how many levels it took."""
    low, high = ax.get_xlim()
    per_letter = (high - low) * SMALL * LETTER / max(inches(ax), 1.0)
    free: list[float] = []
    for push in sorted((*ups, *downs), key=lambda p: p.start + p.end):
        told = f"{folded(push.fall.name, 24)}\n{number(push.fall.length, signed=True)}"
        half = per_letter * (max(map(cells, told.split("\n"))) + 1.5) / 2
        middle = (push.start + push.end) / 2
        at = min(max(middle, low + half), high - half)
        level = next((i for i, edge in enumerate(free) if edge <= at - half), len(free))
        free[level : level + 1] = [at + half]
        y = -0.75 - STEP * level * (1 + told.count("\n") / 2)
        ax.plot([middle, at], [-0.42, y + 0.08], color=QUIET, linewidth=0.6)
        colour = UP if push.fall.length > 0 else DOWN
        note(ax, at, y, told, ha="center", va="top", color=colour)
    return 1 + 2 * len(free)


def _marks(ax: "Axes", view: View) -> None:
    """Mark the base value and the score above the bar; the one further left is written to the left."""
    base, score = float(view.base[0]), float(view.score[0])
    told = {
        base: view.say(text("base value {base}", base=number(base))),
        score: view.say(text("score {score}", score=number(score))),
    }
    for at, words in told.items():
        ax.plot([at, at], [0.42, 0.85], color=INK, linewidth=1.2 if at == score else 0.8)
        is_left = at <= min(base, score)
        note(ax, at, 1.02, words, ha="right" if is_left and base != score else "left" if base != score else "center", weight="bold" if at == score else "normal")  # fmt: skip
