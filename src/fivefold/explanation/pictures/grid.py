"""Heat map of attributions: features down, rows across in the order of their scores, limits symmetric about 0."""

from typing import TYPE_CHECKING

import torch

from fivefold.core.text import text
from fivefold.explanation.pictures.letters import number
from fivefold.explanation.pictures.paper import (
    ALARM,
    DIVERGING,
    INK,
    QUIET,
    SMALL,
    axes,
    families,
    finish,
    height_of,
    name_bars,
)
from fivefold.explanation.pictures.view import View, header, ranked, together

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

STRIP = 1.6  # lines that the curve of scores above the map takes


def draw_grid(view: View, most: int, ax: "Axes | None") -> "Axes":
    """Draw every row as a column of the map, with its score above it; rows that have not converged are marked."""
    values = view.values
    kept = ranked(values.abs().mean(0), most)
    names = [view.found.names[i] for i in kept.top]
    lines = values[:, kept.top]
    if kept.rest:
        names.append(together(view, kept.rest))
        lines = torch.cat([lines, values[:, kept.rest].sum(1, keepdim=True)], 1)
    order = view.score.sort(stable=True).indices
    ax = axes(ax, height_of([*names, "", ""]))
    columns = name_bars(ax, names[::-1])
    picture = ax.imshow(
        lines[order].T.flip(0).numpy(), cmap=DIVERGING, aspect="auto", origin="lower",
        interpolation="nearest", norm=symmetric(lines),
    )  # fmt: skip
    _scores(ax, view, order, len(names))
    colour_bar(ax, picture, view)
    ax.set_xlabel(view.say(text("rows, in the order of their scores")))
    ax.set_xlim(-0.5, len(order) - 0.5)
    head = header(view, text("what moves the answer, row by row"), text("Triangles mark them."))
    return finish(ax, head, label_columns=columns + 6)


def symmetric(values: torch.Tensor) -> "Normalize":
    """Return limits of colour with 0 in the middle."""
    from matplotlib.colors import Normalize

    limit = max(float(values.abs().max()) if values.numel() else 0.0, 1e-12)
    return Normalize(-limit, limit)


def colour_bar(ax: "Axes", picture: "ScalarMappable", view: View) -> None:
    """Put the scale of the colours beside the axes."""
    bar = ax.figure.colorbar(picture, ax=ax, aspect=30, pad=0.02)
    bar.set_label(view.unit, family=families(), size=SMALL, color=QUIET)
    bar.ax.tick_params(labelsize=SMALL)
    bar.outline.set_visible(False)


def _scores(ax: "Axes", view: View, order: torch.Tensor, n: int) -> None:
    """Draw the scores as a curve in a strip above the map."""
    score = view.score[order]
    low, high = float(score.min()), float(score.max())
    share = (score - low) / max(high - low, 1e-12)
    base = n - 0.3
    ax.step(
        range(len(order)),
        (base + 0.1 + (STRIP - 0.4) * share).tolist(),
        where="mid",
        color=INK,
        linewidth=1.2,
    )
    ax.set_ylim(-0.5, n - 0.5 + STRIP + 0.2)
    ticks = [*ax.get_yticks()[:n], base + STRIP / 2 - 0.1]
    labels = [t.get_text() for t in ax.get_yticklabels()[:n]]
    told = text("score, {low} to {high}", low=number(low), high=number(high))
    ax.set_yticks(ticks, [*labels, view.say(told)])
    unsure = (~view.is_converged[order]).nonzero()[:, 0].tolist()
    ax.plot(unsure, [base - 0.05] * len(unsure), "v", color=ALARM, markersize=3.5, clip_on=False)
