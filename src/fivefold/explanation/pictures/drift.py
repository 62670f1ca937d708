"""Two stages beside one another: how much each feature moved the answers before a step and after it."""

from typing import TYPE_CHECKING

import torch

from fivefold.core.errors import BadInput
from fivefold.core.interval import mean_interval
from fivefold.core.text import Text, text
from fivefold.explanation.pictures.bars import mean_bars
from fivefold.explanation.pictures.letters import number
from fivefold.explanation.pictures.paper import (
    SIZE,
    UNSURE,
    Header,
    axes,
    families,
    finish,
    height_of,
    name_bars,
)
from fivefold.explanation.pictures.view import View, facts, header, largest
from fivefold.explanation.rank import rank_correlation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BEFORE, AFTER = "#566073", "#e08a00"


def draw_drift(view: View, after: View, most: int, ax: "Axes | None") -> "Axes":
    """Draw the mean absolute attribution before and after a step.

    Raises:
        BadInput: They are not of the same features, the same unit and the same number of rows.
    """
    _refuse_strangers(view, after)
    sizes = view.values.abs(), after.values.abs()
    order = largest(torch.cat(sizes).mean(0), most)
    ax = axes(ax, 0.3 + height_of([view.found.names[i] for i in order for _ in range(2)]))
    for one, size, shift, colour, told in (
        (view, sizes[0], 0.2, BEFORE, text("before")),
        (after, sizes[1], -0.2, AFTER, text("after")),
    ):
        hatch = "" if bool(one.is_converged.all()) else UNSURE
        columns = [size[:, i] for i in order]
        mean_bars(ax, columns, [colour] * len(order), hatch=hatch, shift=shift, label=one.say(told))
    names = name_bars(ax, [view.found.names[i] for i in order][::-1])
    axis = text("mean absolute attribution ({unit}), whiskers: 95 % over rows", unit=view.unit)
    ax.set_xlabel(view.say(axis))
    ax.legend(loc="lower right", frameon=False, prop={"family": families(), "size": SIZE})
    return finish(ax, _header(view, after), label_columns=names)


def _refuse_strangers(view: View, after: View) -> None:
    one, other = view.found, after.found
    if (one.names, len(view.rows), one.unit) != (other.names, len(after.rows), other.unit):
        raise BadInput(
            "The two explanations are not of the same features, rows and unit.",
            where="after",
            mend="Explain the same rows with both models, and with the same features.",
        )


def _header(view: View, after: View) -> Header:
    both = ((view, view.say(text("before"))), (after, view.say(text("after"))))
    doubts = [
        f"{name}: {header(one, text(''), text('Bars are hatched.')).warning}"
        for one, name in both
        if not bool(one.is_converged.all())
    ]
    told = [
        part for one, name in both for part in (f"{name}: {facts(one)[0]}", *facts(one)[1:], "\n")
    ]
    return Header(view.about_output(_agreement(view, after)), tuple(told), "\n".join(doubts))


def _agreement(view: View, after: View) -> Text:
    mean, low, high = mean_interval(rank_correlation(view.values, after.values))
    if len(view.rows) < 2:
        return text("before and after, rank correlation {mean}", mean=number(mean))
    return text(
        "before and after, rank correlation {mean} (95 %: {low} to {high})",
        mean=number(mean),
        low=number(max(low, -1.0)),
        high=number(min(high, 1.0)),
    )
