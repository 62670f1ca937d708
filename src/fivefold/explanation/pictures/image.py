"""An image and what moved the answer over it: a diverging map with 0 in the middle, the original beside it."""

from typing import TYPE_CHECKING

from fivefold.core.errors import BadInput
from fivefold.core.text import text
from fivefold.explanation.pictures.grid import colour_bar, symmetric
from fivefold.explanation.pictures.paper import DIVERGING, SMALL, axes, finish, note
from fivefold.explanation.pictures.view import View, row_header

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP = 0.06  # between the two pictures, in widths of one
STRENGTH = 0.72  # of the map over the image


def draw_map(view: View, ax: "Axes | None") -> "Axes":
    """Draw the attributions of the patches alone."""
    if len(view.found.groups.shape) != 2:
        raise _no_image()
    x, flat = view.found.x, view.values[0].reshape(view.found.groups.shape)
    if x is not None and x.ndim == 4 and len(flat) == 1:  # superpixels lie in no grid
        flat = view.values[0][view.found.groups.member].reshape(x.shape[1:])[0]
    ax = axes(ax, 4.6, 5.4)
    picture = ax.imshow(flat.numpy(), cmap=DIVERGING, interpolation="nearest", norm=symmetric(flat))
    colour_bar(ax, picture, view)
    return _bare(ax, view)


def draw_image(view: View, ax: "Axes | None") -> "Axes":
    """Draw the image, and beside it the attributions over it.

    Raises:
        BadInput: The attribution is of no image, or does not hold it.
    """
    x = view.found.x
    if x is None or len(view.found.groups.shape) != 2 or x.ndim != 4:
        raise _no_image()
    image = x[view.rows[0]].double().clamp(0, 1)
    height, width = image.shape[1:]
    pixels = view.values[0][view.found.groups.member].reshape(image.shape)[0]
    ax = axes(ax, 4.4, 8.4)
    right = width * (1 + GAP)
    places = [(0, width, height, 0), (right, right + width, height, 0)]
    grey = image.mean(0).numpy()
    shown = image.movedim(0, 2).numpy() if len(image) == 3 else grey
    ax.imshow(shown, cmap="gray", vmin=0, vmax=1, extent=places[0], interpolation="nearest")
    ax.imshow(grey, cmap="gray", vmin=-0.6, vmax=1.2, extent=places[1], interpolation="nearest")
    laid = ax.imshow(
        pixels.numpy(), cmap=DIVERGING, alpha=STRENGTH, extent=places[1], interpolation="nearest",
        norm=symmetric(view.values),
    )  # fmt: skip
    ax.set(xlim=(0, right + width), ylim=(height * 1.12, 0))
    note(
        ax, width / 2, height * 1.06, view.say(text("what the model saw")), ha="center", size=SMALL
    )
    note(
        ax,
        right + width / 2,
        height * 1.06,
        view.say(text("what moved the answer")),
        ha="center",
        size=SMALL,
    )
    colour_bar(ax, laid, view)
    return _bare(ax, view)


def _bare(ax: "Axes", view: View) -> "Axes":
    ax.set_xticks([])
    ax.set_yticks([])
    finish(ax, row_header(view))
    ax.spines["bottom"].set_visible(False)
    return ax


def _no_image() -> BadInput:
    return BadInput(
        "This is no attribution of an image that it holds.",
        where="x",
        mend="Explain images with fivefold.explanation.explain, and draw tables with bar() or waterfall().",
    )
