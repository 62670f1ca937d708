"""A network of features that act together (after Inglis, Parnell and Hurley, 2022)."""

from math import cos, pi, sin
from typing import TYPE_CHECKING

from fivefold.core.text import text
from fivefold.explanation.interactions.view import View
from fivefold.explanation.pictures.letters import families, folded
from fivefold.explanation.pictures.paper import DOWN, INK, QUIET, SMALL, UP, axes, finish, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FAINT, DOUBTFUL = (
    0.02,
    0.1,
)  # pairs below this share of the strongest are not drawn: sure and unsure ones
DOT, LINE = (
    1500.0,
    9.0,
)  # of the largest main effect, in square points; of the strongest pair, in points
NAME = 18  # columns of a name before it folds
REACH = 1.75  # of the picture to each side; the circle has radius 1


def draw_network(view: View, ax: "Axes | None") -> "Axes":
    """Draw the network and return the axes."""
    ax = axes(ax, 6.4)
    n = len(view.names)
    places = [
        (sin(2 * pi * (i + 0.5) / n), cos(2 * pi * (i + 0.5) / n)) if n > 1 else (0.0, 0.0)
        for i in range(n)
    ]
    _draw_pairs(view, places, ax)
    _draw_features(view, places, ax)
    _explain(view, ax)
    ax.set_xlim(-REACH, REACH)
    ax.set_ylim(-1.62, 1.3)
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    finish(ax, view.header)
    ax.spines["bottom"].set_visible(False)
    return ax


def _colour(view: View, value: float) -> str:
    if not view.is_signed:
        return QUIET
    return UP if value > 0 else DOWN


def _draw_pairs(view: View, places: list[tuple[float, float]], ax: "Axes") -> None:
    off = view.values.abs().triu(1)
    most = float(off.max()) if off.numel() else 0.0
    order = off.flatten().sort(stable=True).indices.tolist()  # the strongest on top
    for i, j in (divmod(int(k), len(places)) for k in order):
        share = float(off[i, j]) / most if most else 0.0
        is_unsure = bool(view.is_unsure[i, j])
        if share < (DOUBTFUL if is_unsure else FAINT):
            continue
        (x0, y0), (x1, y1) = places[i], places[j]
        ax.plot(
            [x0, x1], [y0, y1],
            color=_colour(view, float(view.values[i, j])),
            linewidth=max(0.6, LINE * share),
            alpha=0.25 + 0.5 * share,
            linestyle=(0, (1.5, 1.5)) if is_unsure else "-",
            solid_capstyle="round", zorder=1,
        )  # fmt: skip


def _draw_features(view: View, places: list[tuple[float, float]], ax: "Axes") -> None:
    main = view.values.diagonal()
    most = max(float(main.abs().max()), 1e-300)
    for i, ((x, y), name) in enumerate(zip(places, view.names, strict=True)):
        value = float(main[i])
        colour, is_unsure = _colour(view, value), bool(view.is_unsure[i, i])
        ax.scatter(
            x, y, s=24 + DOT * abs(value) / most, zorder=2, linewidth=1.6,
            color="white" if is_unsure else colour, edgecolor=colour if is_unsure else "white",
        )  # fmt: skip
        away = 1.07 + 0.13 * (abs(value) / most) ** 0.5
        side = "center" if abs(x) < 0.2 else ("left" if x > 0 else "right")
        level = "center" if abs(y) < 0.85 else ("bottom" if y > 0 else "top")
        note(ax, x * away, y * away, folded(name, NAME), ha=side, va=level, color=INK)


def _explain(view: View, ax: "Axes") -> None:
    """Say what dots and lines mean."""
    from matplotlib.lines import Line2D

    told = [(UP, text("raises the answer")), (DOWN, text("lowers the answer"))]
    if not view.is_signed:
        told = [(QUIET, text("mean absolute value"))]
    lines = [Line2D([], [], color=colour, linewidth=3) for colour, _ in told]
    if bool(view.is_unsure.any()):
        told.append((QUIET, text("95 % interval holds 0")))
        lines.append(Line2D([], [], color=QUIET, linewidth=3, linestyle=":"))
    legend = ax.legend(
        lines, [t.words(view.language) for _, t in told],
        loc="lower center", ncols=len(told), frameon=False,
        prop={"family": families(), "size": SMALL}, bbox_to_anchor=(0.5, 0.03),
    )  # fmt: skip
    legend.set_zorder(0)
    how = text("dots: main effects · lines: what two features add together")
    note(ax, 0, -1.58, how.words(view.language), ha="center", va="bottom", color=QUIET)
