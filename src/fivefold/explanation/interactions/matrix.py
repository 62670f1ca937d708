"""Every pair of features as a square of a matrix, main effects on its diagonal."""

from typing import TYPE_CHECKING

import numpy as np

from fivefold.core.text import text
from fivefold.explanation.interactions.view import View
from fivefold.explanation.pictures.letters import families, folded, number
from fivefold.explanation.pictures.paper import DIVERGING, INK, QUIET, RISING, SMALL, axes, finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TOLD = 10  # features up to which numbers stand in the squares
NAME = 16  # columns of a name before it folds


def draw_matrix(view: View, ax: "Axes | None") -> "Axes":
    """Draw the matrix and return the axes; a square whose 95 % interval holds 0 is hatched."""
    n = len(view.names)
    ax = axes(ax, min(9.0, 3.0 + 0.42 * max(n, 3)))
    most = max(float(view.values.abs().max()), 1e-12)
    shown = ax.imshow(
        view.values.numpy(),
        cmap=DIVERGING if view.is_signed else RISING,
        vmin=-most if view.is_signed else 0.0,
        vmax=most,
    )
    _mark_unsure(view, ax)
    if n <= TOLD:
        _write_numbers(view, most, ax)
    names = [folded(name, NAME) for name in view.names]
    ax.set_xticks(range(n), names, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(n), names)
    ax.tick_params(length=0)
    _add_bar(view, shown, ax)
    finish(ax, view.header, label_columns=NAME)
    ax.spines["bottom"].set_visible(False)
    return ax


def _mark_unsure(view: View, ax: "Axes") -> None:
    from matplotlib.patches import Rectangle

    for i, j in view.is_unsure.nonzero().tolist():
        square = Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, hatch="////", edgecolor="0.55", linewidth=0)  # fmt: skip
        ax.add_patch(square)
    for i in range(len(view.names)):  # main effects stand apart
        ax.add_patch(Rectangle((i - 0.5, i - 0.5), 1, 1, fill=False, edgecolor=INK, linewidth=1.0))


def _write_numbers(view: View, most: float, ax: "Axes") -> None:
    for (i, j), value in np.ndenumerate(view.values.numpy()):
        if value == 0:
            continue
        depth = abs(value) / most
        is_dark = depth > 0.6 if view.is_signed else depth < 0.5
        ground = None
        if bool(view.is_unsure[i, j]):
            ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.75}
            is_dark = False
        told = number(float(value), signed=view.is_signed)
        ax.text(
            j, i, told, ha="center", va="center", size=SMALL - 1, family=families(),
            color="white" if is_dark else INK, bbox=ground,
        )  # fmt: skip


def _add_bar(view: View, shown: object, ax: "Axes") -> None:
    bar = ax.figure.colorbar(shown, ax=ax, fraction=0.045, pad=0.03)  # type: ignore[arg-type]
    bar.outline.set_visible(False)
    told = [text("diagonal: main effects · beside it: what two features add together")]
    if bool(view.is_unsure.any()):
        told.append(text("hatched: 95 % interval holds 0"))
    bar.set_label(view.unit, family=families(), size=SMALL, color=QUIET)
    bar.ax.tick_params(labelsize=SMALL)
    ax.set_xlabel(" · ".join(t.words(view.language) for t in told), labelpad=8)
