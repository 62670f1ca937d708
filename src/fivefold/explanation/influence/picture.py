"""The strongest training examples of one row as a picture: bars, or thumbnails of images."""

from textwrap import shorten, wrap
from typing import TYPE_CHECKING

from torch import Tensor

from fivefold.core.text import text
from fivefold.explanation.influence.page import is_image, pixels
from fivefold.explanation.influence.ranking import Example, label_of
from fivefold.explanation.pictures.paper import DOWN, UP

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fivefold.explanation.influence.influence import Influence

MOST_COLUMNS = 3


def draw(found: "Influence", row: int, k: int, ax: "Axes | None") -> "Axes":
    """Draw one row and return the axes; nothing is shown or saved."""
    top = found.top(row, k)
    if ax is None:
        from matplotlib.figure import Figure

        size = (1.3 * (k + 1), 3.6) if is_image(found) else (8.0, 1.2 + 0.5 * 2 * k)
        ax = Figure(figsize=size, layout="constrained").subplots()
    if is_image(found):
        _thumbnails(found, row, top.helpful, top.harmful, ax)
    else:
        _bars(found, row, (*top.helpful, *top.harmful[::-1]), ax)
    title = text(
        "Training examples for and against: {label}", label=label_of(found.task, found.x.y[row])
    )
    ax.set_title(str(title), fontsize="medium")
    return ax


def _bars(found: "Influence", row: int, examples: tuple[Example, ...], ax: "Axes") -> None:
    values = [e.value for e in examples]
    errors = [0.0 if e.error is None else 1.96 * e.error for e in examples]
    colours = [UP if v > 0 else DOWN for v in values]
    places = range(len(values))
    ax.barh(places, values, xerr=errors if any(errors) else None, color=colours, ecolor="0.3", capsize=2)  # fmt: skip
    telling = _telling(found, row, examples)
    ax.set_yticks(places, [_named(e, telling) for e in examples], fontsize="small")
    ax.invert_yaxis()
    ax.axvline(0, color="0.3", linewidth=0.8)
    ax.set_xlabel(str(found.unit))


def _telling(found: "Influence", row: int, examples: tuple[Example, ...]) -> list[str]:
    """Return the columns in which the examples shown are nearest to the row, against their spread."""
    x, seen = found.x.x, found.train.x
    if not (found.schema.is_table and isinstance(x, Tensor) and isinstance(seen, Tensor)):
        return []
    shown = seen[[e.train_row for e in examples if e.value > 0]]
    if not len(shown):
        return []
    centred = (seen - seen.nanmean(0)).nan_to_num()
    scale = centred.square().mean(0).sqrt().clamp(min=1e-12)
    away = ((shown - x[row]) / scale).abs().nan_to_num(10.0).mean(0)
    return [found.schema.columns[i].name for i in away.argsort()[:MOST_COLUMNS].tolist()]


def _named(example: Example, telling: list[str]) -> str:
    words = [f"{n} = {_cell(example.columns[n])}" for n in telling]
    words += [shorten(str(example.columns["text"]), 40, placeholder="…")] if not telling and "text" in example.columns else []  # fmt: skip
    told = str(text("row {row}, {label}", row=example.train_row, label=example.label))
    return "\n".join([told, *wrap("; ".join(words), 60)])


def _cell(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def _thumbnails(
    found: "Influence",
    row: int,
    helpful: tuple[Example, ...],
    harmful: tuple[Example, ...],
    ax: "Axes",
) -> None:
    """Put the row asked about at the left, and what spoke for it above what spoke against it."""
    x, seen = found.x.x, found.train.x
    assert isinstance(x, Tensor)
    assert isinstance(seen, Tensor)
    _place(ax, x[row], (0.0, 0.65), str(text("asked about")), "0.3")
    for line, (examples, colour) in enumerate(((helpful, UP), (harmful, DOWN))):
        for i, e in enumerate(examples):
            told = f"{e.label}\n{e.value:+.2g}"
            _place(ax, seen[e.train_row], (1.2 + 1.1 * i, 1.6 * line), told, colour)
    most = max(len(helpful), len(harmful), 1)
    ax.set_xlim(-0.1, 1.2 + 1.1 * most)
    ax.set_ylim(3.2, -0.1)
    ax.set_aspect("equal")
    ax.set_axis_off()


def _place(ax: "Axes", image: Tensor, at: tuple[float, float], told: str, colour: str) -> None:
    left, top = at
    ax.imshow(pixels(image), extent=(left, left + 1, top + 1, top), interpolation="nearest")
    ax.plot([left, left + 1, left + 1, left, left], [top, top, top + 1, top + 1, top], color=colour)
    ax.text(left + 0.5, top + 1.08, told, ha="center", va="top", fontsize="small", color=colour)
