"""Beeswarm: the attributions of every row, feature by feature, coloured by the value of the feature (Lundberg et al., 2020)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fivefold.core.text import text
from fivefold.explanation.pictures.labels import is_ordered, raw_values, rising_share
from fivefold.explanation.pictures.paper import (
    GREY,
    QUIET,
    SMALL,
    axes,
    families,
    finish,
    height_of,
    name_bars,
    rising,
)
from fivefold.explanation.pictures.view import View, header, ranked, together

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Colour: TypeAlias = str | tuple[float, float, float, float]
BINS, FULL, SPOT = (
    90,
    0.4,
    18.0,
)  # places beside one another; how far from its line a point may lie; its size


def draw_swarm(view: View, most: int, ax: "Axes | None") -> "Axes":
    """Draw one line of points per feature; grey where a value has no order or is not known."""
    values, raw = view.values, raw_values(view)
    kept = ranked(values.abs().mean(0), most)
    names = [view.found.names[i] for i in kept.top]
    lines = [(values[:, i], _shades(view, raw, i)) for i in kept.top]
    if kept.rest:
        names.append(together(view, kept.rest))
        lines.append((values[:, kept.rest].sum(1), None))
    ax = axes(ax, height_of(names) + 0.3)
    scale = _scale(lines)
    for line, (at, shades) in enumerate(lines):
        _points(ax, view, len(lines) - 1 - line + offsets(at, *scale), at, shades)
    columns = name_bars(ax, names[::-1])
    ax.axvline(0, color=QUIET, linewidth=0.8, zorder=0)
    ax.grid(axis="y", color="0.93")
    ax.set_xlabel(view.say(text("attribution ({unit})", unit=view.unit)))
    if any(shades is not None for _, shades in lines):
        value_bar(ax, view.say(text("value of the feature")), view)
    head = header(view, text("what moves the answer, row by row"), text("Rings mark them."))
    return finish(ax, head, label_columns=columns + 4)


def offsets(values: Float[Tensor, " rows"], low: float, high: float) -> Float[Tensor, " rows"]:
    """Return how far each point is moved off its line, so that points beside one another do not hide one another."""
    place = ((values - low) / max(high - low, 1e-12) * BINS).round().long()
    rank = torch.zeros(len(values), dtype=torch.float64)
    seen: dict[int, int] = {}
    for i, at in enumerate(place.tolist()):
        k = seen.get(at, 0)
        rank[i] = (k + 1) // 2 * (1 if k % 2 else -1)
        seen[at] = k + 1
    return rank * min(0.09, FULL / max(1.0, float(rank.abs().max()) if len(rank) else 1.0))


def value_bar(ax: "Axes", title: str, view: View) -> None:
    """Put a bar beside the axes that tells low from high."""
    from matplotlib.cm import ScalarMappable

    bar = ax.figure.colorbar(
        ScalarMappable(cmap=rising()), ax=ax, ticks=[0, 1], aspect=30, pad=0.02
    )
    low, high = view.say(text("low")), view.say(text("high"))
    bar.ax.set_yticklabels([low, high], family=families(), size=SMALL)
    bar.set_label(title, family=families(), size=SMALL, color=QUIET, labelpad=-6)
    bar.outline.set_visible(False)


def _scale(lines: list[tuple[Tensor, Tensor | None]]) -> tuple[float, float]:
    every = torch.cat([at for at, _ in lines]) if lines else torch.zeros(1)
    return (float(every.min()), float(every.max())) if len(every) else (0.0, 1.0)


def _shades(view: View, raw: Tensor | None, feature: int) -> Tensor | None:
    if raw is None or not is_ordered(view, feature):
        return None
    return rising_share(raw[:, feature])


def _points(ax: "Axes", view: View, y: Tensor, x: Tensor, shades: Tensor | None) -> None:
    """Draw points; those of rows that have not converged are rings."""
    colours = shades_of(shades, len(x))
    put_points(ax, x, y, colours, view.is_converged)


def shades_of(shades: Float[Tensor, " rows"] | None, n: int) -> list[Colour]:
    """Return the colour of each point; grey without shades, and where a shade is NaN."""
    if shades is None:
        return [GREY] * n
    return [(float(r), float(g), float(b), float(a)) for r, g, b, a in rising()(shades.numpy())]


def put_points(
    ax: "Axes",
    x: Float[Tensor, " rows"],
    y: Float[Tensor, " rows"],
    colours: Sequence[Colour],
    is_sure: Bool[Tensor, " rows"],
    *,
    mark: str = "o",
    label: str = "",
) -> None:
    """Draw points, full where a row has converged and as rings where it has not."""
    faces = [c if sure else "none" for c, sure in zip(colours, is_sure.tolist(), strict=True)]
    ax.scatter(x.numpy(), y.numpy(), s=SPOT, facecolors=faces, edgecolors=list(colours), linewidths=0.9, marker=mark, label=label, zorder=2)  # fmt: skip
