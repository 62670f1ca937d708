"""The pictures of interactions in one place: `found.plot.network(0)` and `found.plot.matrix(0)`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.core.text import Language

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fivefold.explanation.interactions.result import Interactions

MOST_NODES, MOST_CELLS = 16, 16


@dataclass(frozen=True)
class InteractionPlot:
    """The pictures of some interactions.

    Both draw on `ax`, or on a new figure of their own, and return the axes; nothing is shown or saved. In
    both `row` is the example, or None for the mean absolute values of all, `output` the name of the output
    (by default the one with the highest score), `most` the number of features to draw, those that matter
    most, and `language` the language of the words.

    Attributes:
        found: What is drawn.
    """

    found: "Interactions"

    def network(
        self,
        row: int | None = 0,
        *,
        output: str = "",
        most: int = MOST_NODES,
        ax: "Axes | None" = None,
        language: Language = "en",
    ) -> "Axes":
        """Draw features as dots, as large as their main effects, and pairs as lines, as wide as they act together."""
        from fivefold.explanation.interactions.network import draw_network
        from fivefold.explanation.interactions.view import view_of

        return draw_network(view_of(self.found, row, output, most, language), ax)

    def matrix(
        self,
        row: int | None = 0,
        *,
        output: str = "",
        most: int = MOST_CELLS,
        ax: "Axes | None" = None,
        language: Language = "en",
    ) -> "Axes":
        """Draw every pair as a square, with the main effects on the diagonal."""
        from fivefold.explanation.interactions.matrix import draw_matrix
        from fivefold.explanation.interactions.view import view_of

        return draw_matrix(view_of(self.found, row, output, most, language), ax)
