"""Decision: how each row's score comes about, one line per row from the base value up through the features (Lundberg et al., 2020)."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.text import text
from fivefold.explanation.pictures.labels import labels
from fivefold.explanation.pictures.paper import (
    DOWN,
    QUIET,
    UP,
    Header,
    axes,
    finish,
    height_of,
    name_bars,
)
from fivefold.explanation.pictures.view import View, header, ranked, row_header, together

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LINES = 200


def draw_decision(view: View, most: int, ax: "Axes | None") -> "Axes":
    """Draw a line per row; red if it ends above its base value, blue if below, broken if it has not converged."""
    kept = ranked(view.values.abs().mean(0), most)
    names = (
        labels(view, kept.top) if len(view.rows) == 1 else [view.found.names[i] for i in kept.top]
    )
    parts = view.values[:, kept.top]
    if kept.rest:
        names.append(together(view, kept.rest))
        parts = torch.cat([parts, view.values[:, kept.rest].sum(1, keepdim=True)], 1)
    lines = paths(view.base, parts)
    ax = axes(ax, height_of(names))
    columns = name_bars(ax, names[::-1])
    ax.set_ylim(-0.75, len(names) - 0.25)
    for line, is_sure in zip(lines[:MOST_LINES], view.is_converged.tolist(), strict=False):
        colour = UP if line[-1] > line[0] else DOWN
        ax.plot(
            line.tolist(), [i - 0.5 for i in range(len(line))], color=colour,
            linestyle="-" if is_sure else "--", linewidth=1.2, alpha=max(0.25, min(1.0, 12 / len(lines))),
        )  # fmt: skip
    ax.axvline(float(view.base.mean()), color=QUIET, linewidth=0.8, zorder=0)
    ax.grid(axis="y", color="0.93")
    ax.set_xlabel(view.unit)
    return finish(ax, _header(view), label_columns=columns)


def paths(
    base: Float[Tensor, " rows"], parts: Float[Tensor, "rows parts"]
) -> Float[Tensor, "rows steps"]:
    """Return where each row stands after each feature, least important first."""
    return torch.cat([base[:, None], base[:, None] + parts.flip(1).cumsum(1)], 1)


def _header(view: View) -> Header:
    if len(view.rows) == 1:
        return row_header(view)
    told = text("how {n} scores come about", n=min(MOST_LINES, len(view.rows)))
    return header(view, told, text("Lines are broken."))
