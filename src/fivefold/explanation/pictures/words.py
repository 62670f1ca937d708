"""One text with its words marked by what they moved, under the header that says how sure that is."""

from typing import TYPE_CHECKING

from fivefold.core.errors import BadInput
from fivefold.explanation.pictures.grid import colour_bar, symmetric
from fivefold.explanation.pictures.highlight import Marked, draw_words, lines_of, marked
from fivefold.explanation.pictures.paper import DIVERGING, axes, finish
from fivefold.explanation.pictures.view import View, row_header

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINE, HEADER, FEWEST_LINES = (
    0.27,
    0.95,
    4,
)  # inches of a line and of the header; lines that the scale needs


def draw_text(view: View, ax: "Axes | None") -> "Axes":
    """Draw the text of one row with the scale of its colours beside it."""
    from matplotlib.cm import ScalarMappable

    words = words_of(view)
    n = max(FEWEST_LINES, lines_of(words))
    ax = axes(ax, HEADER + LINE * n, 8.0)
    draw_words(words, ax).set_ylim(n, 0)
    scale = ScalarMappable(symmetric(view.values), DIVERGING)
    colour_bar(ax, scale, view)
    return finish(ax, row_header(view))


def words_of(view: View) -> list[Marked]:
    """Return the words of the text with what they moved.

    Raises:
        BadInput: The attribution is of no text, or does not hold it.
    """
    x, schema = view.found.x, view.found.schema
    if x is None or schema is None or not schema.is_text:
        raise BadInput(
            "This is no attribution of a text that it holds.",
            where="x",
            mend="Explain a text with fivefold.explanation.explain, and draw tables with bar() or waterfall().",
        )
    return marked(x[view.rows[0]], view.found.groups, view.values[0])
