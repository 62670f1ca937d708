"""Dependence: the attribution of one feature against its value, coloured by its strongest partner (Lundberg et al., 2020)."""

from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

from fivefold.core.text import Text, text
from fivefold.explanation.pictures.labels import (
    column_of,
    missing_word,
    needs_inputs,
    place_of,
    rising_share,
)
from fivefold.explanation.pictures.letters import folded, number
from fivefold.explanation.pictures.paper import DOWN, GREY, QUIET, SMALL, axes, families, finish
from fivefold.explanation.pictures.partner import strongest_partner
from fivefold.explanation.pictures.swarm import offsets, put_points, shades_of, value_bar
from fivefold.explanation.pictures.view import View, header

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HUES = ("#0b62c4", "#c2500a", "#0a7d6c", "#9a3f9d", "#8a6a00", "#3f8fb8", "#6a7180", "#b3415c")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")


def draw_dependence(
    view: View, feature: str | int, colour_by: str | int | None, ax: "Axes | None"
) -> "Axes":
    """Draw one point per row with its error bar; values that are missing stand at the left edge."""
    raw, place = needs_inputs(view), place_of(view, feature)
    partner = (
        strongest_partner(view, raw, place) if colour_by is None else place_of(view, colour_by)
    )
    ax = axes(ax, 4.4)
    x, y = _across(view, raw[:, place], place), view.values[:, place]
    _error_bars(ax, view, x, y, place)
    _points(ax, view, x, y, raw, partner)
    ax.axhline(0, color=QUIET, linewidth=0.8, zorder=0)
    ax.grid(color="0.94")
    _name_axes(ax, view, raw[:, place], place)
    told = _headline(view, place, partner, given=colour_by is not None)
    beside = 0 if partner is None else 14
    finish(ax, header(view, told, text("Rings mark them.")), label_columns=beside)
    ax.spines["left"].set_visible(True)
    return ax


def _aside(known: Float[Tensor, " known"]) -> float:
    """Return where missing values stand: left of all others."""
    if not len(known):
        return 0.0
    low, high = float(known.min()), float(known.max())
    return low - 0.1 * (high - low if high > low else 1.0)


def _across(view: View, values: Tensor, place: int) -> Float[Tensor, " rows"]:
    """Return where points stand: categories are spread a little, missing values stand aside."""
    column = column_of(view, place)
    x = values.nan_to_num(nan=_aside(values[~values.isnan()]))
    if column is not None and column.is_category:
        y = view.values[:, place]
        for at in x.unique().tolist():
            here = x == at
            x[here] += offsets(y[here], float(y.min()), float(y.max()))
    return x


def _error_bars(ax: "Axes", view: View, x: Tensor, y: Tensor, place: int) -> None:
    half = view.half
    if half is not None:
        known = half[:, place].nan_to_num(posinf=0.0).tolist()
        ax.errorbar(
            x.tolist(), y.tolist(), yerr=known, fmt="none", ecolor="0.8", elinewidth=0.8, zorder=1
        )


def _points(ax: "Axes", view: View, x: Tensor, y: Tensor, raw: Tensor, partner: int | None) -> None:
    column = None if partner is None else column_of(view, partner)
    if partner is None or column is None:
        put_points(ax, x, y, [DOWN] * len(x), view.is_converged)
        return
    if column.is_category and len(column.categories) <= len(HUES):
        _by_category(ax, view, x, y, raw[:, partner], column.categories)
        return
    colours = shades_of(rising_share(raw[:, partner]), len(x))
    put_points(ax, x, y, colours, view.is_converged)
    value_bar(ax, folded(view.found.names[partner], 40), view)


def _by_category(
    ax: "Axes", view: View, x: Tensor, y: Tensor, values: Tensor, categories: tuple[str, ...]
) -> None:
    """Draw each category in its own colour and shape, and missing ones grey."""
    known = [(name, values == i, HUES[i], MARKS[i]) for i, name in enumerate(categories)]
    for name, some, colour, mark in (*known, (missing_word(view), values.isnan(), GREY, "o")):
        if bool(some.any()):
            n, sure = int(some.sum()), view.is_converged[some]
            put_points(
                ax,
                x[some],
                y[some],
                [colour] * n,
                sure,
                mark=mark,
                label=folded(name, 20),
            )
    ax.legend(
        frameon=False,
        prop={"family": families(), "size": SMALL},
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
    )


def _name_axes(ax: "Axes", view: View, values: Tensor, place: int) -> None:
    column, known = column_of(view, place), values[~values.isnan()]
    ax.set_xlabel(folded(view.found.names[place], 60))
    ax.set_ylabel(view.say(text("attribution ({unit})", unit=view.unit)))
    places = [float(t) for t in ax.get_xticks() if len(known) and known.min() <= t <= known.max()]
    told = [number(t) for t in places]
    if column is not None and column.is_category:
        seen = sorted({int(v) for v in known.tolist()})
        places, wide = [float(i) for i in seen], max(6, 60 // max(1, len(seen)))
        told = [folded(column.categories[i], wide) for i in seen]
    if bool(values.isnan().any()):
        places, told = [_aside(known), *places], [missing_word(view), *told]
    elif column is None or not column.is_category:
        return
    ax.set_xticks(places, told)


def _headline(view: View, place: int, partner: int | None, *, given: bool) -> Text:
    feature = view.found.names[place]
    if partner is None:
        return text("what {feature} moves", feature=feature)
    by = view.found.names[partner]
    if given:
        return text("what {feature} moves, coloured by {partner}", feature=feature, partner=by)
    return text(
        "what {feature} moves, coloured by its strongest partner {partner}",
        feature=feature,
        partner=by,
    )
