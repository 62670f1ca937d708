"""Bars with whiskers, of one row and of all rows (Lundberg et al., 2020, for the mean absolute value)."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.interval import mean_interval
from fivefold.core.text import text
from fivefold.explanation.pictures.labels import labels
from fivefold.explanation.pictures.paper import (
    DOWN,
    GREY,
    INK,
    QUIET,
    UNSURE,
    UP,
    axes,
    finish,
    height_of,
    name_bars,
)
from fivefold.explanation.pictures.view import (
    Ranked,
    View,
    header,
    ranked,
    row_header,
    together,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_row(view: View, most: int, ax: "Axes | None") -> "Axes":
    """Draw the attributions of one row, the largest on top."""
    values, half = view.values, view.seen
    kept = ranked(values[0], most)
    widths = _with_rest(values[0, kept.top], values[:, kept.rest].sum(1), kept)
    # no whisker for the sum of the others: what bounds it is so wide that it would squeeze the picture
    whiskers = (
        None if half is None else _with_rest(half[0, kept.top], torch.zeros_like(half[:, 0]), kept)
    )
    names = [*labels(view, kept.top), *([together(view, kept.rest, half)] if kept.rest else [])]
    ax = axes(ax, height_of(names))
    colours = [UP if w > 0 else DOWN for w in widths.tolist()]
    hatch = "" if bool(view.is_converged[0]) else UNSURE
    put_bars(ax, widths, whiskers, colours, hatch=hatch)
    ax.axvline(0, color=QUIET, linewidth=0.8)
    columns = name_bars(ax, names[::-1])
    ax.set_xlabel(view.unit)
    return finish(ax, row_header(view), label_columns=columns)


def draw_all(view: View, most: int, ax: "Axes | None") -> "Axes":
    """Draw the mean absolute attribution of each feature over the rows."""
    sizes = view.values.abs()
    kept = ranked(sizes.mean(0), most)
    columns = [sizes[:, i] for i in kept.top] + ([sizes[:, kept.rest].sum(1)] if kept.rest else [])
    names = [
        *(view.found.names[i] for i in kept.top),
        *([together(view, kept.rest)] if kept.rest else []),
    ]
    ax = axes(ax, height_of(names))
    colours = [GREY if kept.rest and i == len(names) - 1 else DOWN for i in range(len(names))]
    hatch = "" if bool(view.is_converged.all()) else UNSURE
    mean_bars(ax, columns, colours, hatch=hatch)
    label_columns = name_bars(ax, names[::-1])
    ax.set_xlabel(
        view.say(
            text("mean absolute attribution ({unit}), whiskers: 95 % over rows", unit=view.unit)
        )
    )
    head = header(view, text("what moves the answer"), text("Bars are hatched."))
    return finish(ax, head, label_columns=label_columns)


def mean_bars(
    ax: "Axes",
    columns: list[Float[Tensor, " rows"]],
    colours: list[str],
    *,
    hatch: str,
    shift: float = 0.0,
    label: str = "",
) -> None:
    """Draw the mean of each column with its 95 % interval over the rows; of a single row there is none."""
    found = torch.tensor([mean_interval(c) for c in columns])
    mean, low, high = found.unbind(1)
    ends = torch.stack([mean - low.clamp(min=0), high - mean])
    whiskers = ends if len(columns[0]) > 1 else None
    put_bars(ax, mean, whiskers, colours, hatch=hatch, shift=shift, label=label)


def put_bars(
    ax: "Axes",
    widths: Float[Tensor, " bars"],
    whiskers: Float[Tensor, "*ends bars"] | None,
    colours: list[str],
    *,
    hatch: str,
    shift: float = 0.0,
    label: str = "",
) -> None:
    """Draw bars from the top down; a whisker without an end is left away, for the header says so."""
    n = len(widths)
    places = [n - 1 - i + shift for i in range(n)]
    height = 0.72 if not shift else 0.36
    drawn = ax.barh(places, widths.tolist(), height=height, color=colours, label=label)
    if hatch:
        for bar in drawn:
            bar.set(hatch=hatch, edgecolor="white", linewidth=0)
    if whiskers is not None:
        known = whiskers.nan_to_num(nan=0.0, posinf=0.0).clamp(min=0).tolist()
        ax.errorbar(
            widths.tolist(), places, xerr=known, fmt="none", ecolor=INK, elinewidth=1.2, capsize=2.5
        )
    ax.grid(axis="x", color="0.9")


def _with_rest(
    top: Float[Tensor, " top"], rest: Float[Tensor, " 1"], kept: Ranked
) -> Float[Tensor, " bars"]:
    return torch.cat([top, rest]) if kept.rest else top
