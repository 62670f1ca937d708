"""Force: what pushes the score up, from the left, against what pushes it down, from the right, in one still bar (Lundberg et al., 2018)."""

from typing import TYPE_CHECKING, NamedTuple

from fivefold.core.text import text
from fivefold.explanation.pictures.letters import cells, folded, number
from fivefold.explanation.pictures.paper import (
    DOWN,
    INK,
    LETTER,
    MARGIN,
    QUIET,
    SMALL,
    UNSURE,
    UP,
    WIDTH,
    axes,
    finish,
    inches,
    note,
)
from fivefold.explanation.pictures.view import View, row_header
from fivefold.explanation.pictures.waterfall import Fall, falls_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINE, GAP = 0.31, 0.14  # height of a line of a name, and between names, where the bar is 0.8 high
INCH = 0.48  # inches of a height of 1


class Push(NamedTuple):
    """One part of the bar, from `start` to `end`."""

    fall: Fall
    start: float
    end: float


class Named(NamedTuple):
    """The name of a part: its words, where its middle is, and its upper and lower edge."""

    push: Push
    told: str
    at: float
    top: float
    bottom: float


def draw_force(view: View, most: int, ax: "Axes | None") -> "Axes":
    """Draw one row; the longest parts lie where the two sides meet, at the score."""
    ups, downs = pushes_of(view, most)
    low, high = _limits(view, ups, downs)
    names = named([*ups, *downs], (low, high), WIDTH * 0.9 if ax is None else inches(ax))
    lowest = min((name.bottom for name in names), default=-1.0)
    ax = axes(ax, MARGIN + INCH * (1.35 - lowest))
    hatch = "" if bool(view.is_converged[0]) else UNSURE
    for push in (*ups, *downs):
        ax.barh(0, push.end - push.start, left=push.start, height=0.8, color=push.fall.colour, edgecolor="white", linewidth=1, hatch=hatch)  # fmt: skip
    for name in names:
        middle = (name.push.start + name.push.end) / 2
        ax.plot([middle, name.at], [-0.42, name.top + 0.04], color=QUIET, linewidth=0.6)
        colour = UP if name.push.fall.length > 0 else DOWN
        note(ax, name.at, name.top, name.told, ha="center", va="top", color=colour)
    _marks(ax, view)
    ax.set(xlim=(low, high), ylim=(lowest - GAP, 1.35), xlabel=view.unit)
    ax.set_yticks([])
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


def named(pushes: list[Push], limits: tuple[float, float], wide: float) -> list[Named]:
    """Return the names of the parts, each as high as it goes without touching another; `wide` is inches."""
    low, high = limits
    per_letter = (high - low) * SMALL * LETTER / wide
    placed: list[tuple[Named, float]] = []
    for push in sorted(pushes, key=lambda p: p.start + p.end):
        told = f"{folded(push.fall.name, 24)}\n{number(push.fall.length, signed=True)}"
        lines = told.split("\n")
        half = per_letter * (max(map(cells, lines)) + 2) / 2
        at = min(max((push.start + push.end) / 2, low + half), high - half)
        beside = [n for n, other in placed if abs(n.at - at) < half + other]
        tops = sorted({-0.7, *(n.bottom - GAP for n in beside)}, reverse=True)
        deep = LINE * len(lines)
        top = next(t for t in tops if all(t <= n.bottom or t - deep >= n.top for n in beside))
        placed.append((Named(push, told, at, top, top - deep), half))
    return [name for name, _ in placed]


def _limits(view: View, ups: list[Push], downs: list[Push]) -> tuple[float, float]:
    ends = [
        float(view.base[0]),
        float(view.score[0]),
        *(p.start for p in ups),
        *(p.end for p in downs),
    ]
    room = 0.06 * max(max(ends) - min(ends), 1e-9)
    return min(ends) - room, max(ends) + room


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
