"""Deletion and insertion curves with random orders beside them (Petsiuk, Das and Saenko, 2018)."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.data import Inputs, as_tensor
from fivefold.core.errors import BadInput
from fivefold.core.interval import mean_interval
from fivefold.core.model import Model
from fivefold.core.text import Text, text
from fivefold.explanation.curve import Curves, Ranking, curves_of
from fivefold.explanation.output import chosen
from fivefold.explanation.pictures.letters import number
from fivefold.explanation.pictures.paper import SIZE, Header, axes, families, finish
from fivefold.explanation.pictures.view import View, header, sureness

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fivefold.explanation.attribution import Attribution

SHOWN, HIDDEN = "#0b62c4", "#c2500a"
N_ORDERS, N_POINTS = 4, 15  # random orders of each row; points of a curve


def draw_curves(view: View, found: Curves, *, is_class: bool, ax: "Axes | None") -> "Axes":
    """Draw the mean answer as features are shown and as they are hidden, with 95 % bands over rows."""
    ax = axes(ax, 4.4)
    by_chance = found.by_chance.mean(1)
    at = found.at.tolist()
    _line(ax, at, found.shown, SHOWN, "-", view.say(text("insertion")))
    _line(ax, at, by_chance, SHOWN, ":", view.say(text("insertion, random order")))
    _line(ax, at, found.hidden, HIDDEN, "-", view.say(text("deletion")))
    _line(ax, at, by_chance.flip(1), HIDDEN, ":", view.say(text("deletion, random order")))
    ax.grid(color="0.93")
    ax.set_xlabel(view.say(text("share of features")))
    unit = text("probability") if is_class else text("closeness")
    ax.set_ylabel(view.say(unit))
    ax.legend(
        frameon=False,
        prop={"family": families(), "size": SIZE},
        loc="upper left",
        bbox_to_anchor=(0, -0.14),
        ncols=2,
    )
    finish(ax, _header(view, found, unit))
    ax.spines["left"].set_visible(True)
    return ax


def _line(
    ax: "Axes",
    at: list[float],
    curve: Float[Tensor, "rows points"],
    colour: str,
    style: str,
    name: str,
) -> None:
    mean, low, high = zip(*(mean_interval(curve[:, i]) for i in range(curve.shape[1])), strict=True)
    ax.plot(at, mean, color=colour, linestyle=style, linewidth=1.8, label=name)
    if len(curve) > 1:
        ax.fill_between(at, low, high, color=colour, alpha=0.12, linewidth=0)


def _header(view: View, found: Curves, unit: Text) -> Header:
    """Return what the curves show: the answer that each row gets, which is not what attributions add up to."""
    n = found.by_chance.shape[1]
    told = (
        view.say(text("base value {base}", base=number(float(found.shown[:, 0].mean())))),
        view.say(unit),
        view.say(text("{n} of {all} rows", n=len(view.rows), all=len(view.found.values))),
        view.say(text("{n} model evaluations", n=f"{view.found.n_evaluations:,}")),
        view.found.method,
        view.say(sureness(view)),
        view.say(text("bands: 95 % over rows")) if len(view.rows) > 1 else "",
        view.say(text("{n} random orders of each row", n=n)),
    )
    warning = header(view, text(""), text("")).warning.strip()
    return Header(view.say(_told(found)), told, warning)


def _told(found: Curves) -> Text:
    shown, hidden, chance = found.areas()
    spread = float(found.spread().sum())
    if spread <= 0:
        return text("the answers do not depend on any feature")
    return text(
        "most important first: better than chance by {insertion} when shown, by {deletion} when hidden",
        insertion=number(float((shown - chance).sum()) / spread, signed=True),
        deletion=number(float((chance - hidden).sum()) / spread, signed=True),
    )


def make_curves(found: "Attribution", model: Model, background: Inputs, rng: Generator) -> Curves:
    """Return the curves of the answer that each row gets, with random orders beside them.

    Raises:
        BadInput: The attribution does not hold the inputs.
    """
    if found.x is None:
        raise BadInput(
            "These curves need the inputs, and the attribution does not hold them.",
            where="x",
            mend="Call found.with_inputs(model, x), or make it with fivefold.explanation.explain.",
        )
    target = chosen(model, found.x)
    values = found.values[torch.arange(len(target)), :, target]
    ranking = Ranking(found.x, as_tensor(background), found.groups, values, target)
    return curves_of(model, ranking, N_ORDERS, N_POINTS, rng)
