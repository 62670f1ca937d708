"""Attributions as pictures: bars with whiskers, heat maps, and HTML without scripts."""

from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING

from torch import Tensor

from fivefold.core.text import Text, text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fivefold.explanation.attribution import Attribution

MOST_BARS, MOST_ROWS = 12, 5
UP, DOWN = "#b2182b", "#2166ac"  # told apart by colour-blind readers, and by the side they lie on


def draw(shown: "Attribution", row: int, output: int, ax: "Axes | None") -> "Axes":
    """Draw one example and return the axes; nothing is shown or saved."""
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(layout="constrained").subplots()
    is_image = len(shown.groups.shape) == 2
    (_heat if is_image else _bars)(shown, row, output, ax)
    ax.set_title(str(_told(shown, row, output)), fontsize="medium")
    return ax


def as_html(shown: "Attribution") -> str:
    """Return the first few examples as tables of their largest attributions."""
    rows = range(min(MOST_ROWS, len(shown.values)))
    tables = "".join(_table(shown, row, shown.index_of("", row)) for row in rows)
    return f"<div><p>{escape(str(_summary(shown)))}</p>{tables}</div>"


def largest(values: Tensor, most: int = MOST_BARS) -> list[int]:
    """Return the positions of the largest absolute values, largest first."""
    return values.abs().sort(descending=True, stable=True).indices[:most].tolist()


def _bars(shown: "Attribution", row: int, output: int, ax: "Axes") -> None:
    values = shown.values[row, :, output]
    order = largest(values)[::-1]
    widths = values[order].tolist()
    half = shown.half_width
    whiskers = None if half is None else half[row, order, output].nan_to_num(posinf=0.0).tolist()
    colours = [UP if w > 0 else DOWN for w in widths]
    names = ["\n".join(wrap(shown.names[i], 30)) for i in order]
    ax.barh(range(len(order)), widths, xerr=whiskers, color=colours, ecolor="0.3", capsize=2)
    ax.set_yticks(range(len(order)), names)
    ax.axvline(0, color="0.3", linewidth=0.8)
    ax.set_xlabel(str(shown.unit))


def _heat(shown: "Attribution", row: int, output: int, ax: "Axes") -> None:
    values = shown.values[row, :, output].reshape(shown.groups.shape)
    limit = max(float(values.abs().max()), 1e-12)
    picture = ax.imshow(values.numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set_xticks([])
    ax.set_yticks([])
    bar = ax.figure.colorbar(picture, ax=ax)
    bar.set_label(str(shown.unit))


def _told(shown: "Attribution", row: int, output: int) -> Text:
    return text(
        "{output}: from {base} to {score}",
        output=shown.outputs[output],
        base=float(shown.base[row, output]),
        score=float(shown.score[row, output]),
    )


def _summary(shown: "Attribution") -> Text:
    return text(
        "{method}: {n} examples, {sure} of them converged, {evaluations} model evaluations.",
        method=shown.method,
        n=len(shown.values),
        sure=int(shown.is_converged.sum()),
        evaluations=shown.n_evaluations,
    )


def _table(shown: "Attribution", row: int, output: int) -> str:
    values = shown.values[row, :, output]
    longest = max(float(values.abs().max()), 1e-12)
    lines = "".join(_line(shown, row, output, i, longest) for i in largest(values))
    return f"<table><caption>{escape(str(_told(shown, row, output)))}</caption>{lines}</table>"


def _line(shown: "Attribution", row: int, output: int, feature: int, longest: float) -> str:
    value = float(shown.values[row, feature, output])
    half = shown.half_width
    sure = "" if half is None else f" ± {float(half[row, feature, output]):.2g}"
    colour, width = UP if value > 0 else DOWN, round(120 * abs(value) / longest)
    bar = f'<div style="background:{colour};height:.8em;width:{width}px"></div>'
    return (
        f"<tr><td>{escape(shown.names[feature])}</td>"
        f"<td style='text-align:right'>{value:+.3g}{sure}</td><td>{bar}</td></tr>"
    )
