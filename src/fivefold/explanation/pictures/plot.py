"""All pictures of an attribution in one place: `found.plot(0)`, `found.plot.waterfall(0)`, `found.plot.beeswarm()`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Generator

from fivefold.core.data import Inputs
from fivefold.core.model import Model
from fivefold.core.text import Language
from fivefold.explanation.pictures.view import of_all, of_row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fivefold.explanation.attribution import Attribution

MOST_BARS, MOST_LINES = 12, 15


@dataclass(frozen=True)
class Plot:
    """The pictures of one attribution.

    Every method draws on `ax`, or on a new figure of its own, and returns the axes; nothing is shown or
    saved, and no global state is touched (`ax.figure.savefig(...)` saves it). Every picture says the base
    value, the unit, how many rows and model evaluations it rests on, how far values may be off, and
    whether they have converged. In all of them `output` is the name of the output (by default the one
    with the highest score, in most rows if there are several), `most` the number of lines to draw, of
    which the last is all other features, and `language` the language of the words.

    Attributes:
        found: What is drawn.
    """

    found: "Attribution"

    def __call__(
        self, row: int = 0, output: str = "", ax: "Axes | None" = None, language: Language = "en"
    ) -> "Axes":
        """Draw one example: bars with 95 % whiskers for a table, a heat map for an image."""
        from fivefold.explanation.pictures.image import draw_map

        if len(self.found.groups.shape) == 2:
            return draw_map(of_row(self.found, row, output, language), ax)
        return self.bar(row, output=output, ax=ax, language=language)

    def bar(
        self,
        row: int | None = None,
        *,
        output: str = "",
        most: int = MOST_BARS,
        ax: "Axes | None" = None,
        language: Language = "en",
    ) -> "Axes":
        """Draw the mean absolute attribution with 95 % intervals over rows, or the attributions of one row."""
        from fivefold.explanation.pictures.bars import draw_all, draw_row

        if row is None:
            return draw_all(of_all(self.found, output, language), most, ax)
        return draw_row(of_row(self.found, row, output, language), most, ax)

    def waterfall(
        self,
        row: int = 0,
        *,
        output: str = "",
        most: int = MOST_BARS,
        ax: "Axes | None" = None,
        language: Language = "en",
    ) -> "Axes":
        """Draw how one score comes about, from the base value below to the score above."""
        from fivefold.explanation.pictures.waterfall import draw_waterfall

        return draw_waterfall(of_row(self.found, row, output, language), most, ax)

    def force(
        self,
        row: int = 0,
        *,
        output: str = "",
        most: int = 8,
        ax: "Axes | None" = None,
        language: Language = "en",
    ) -> "Axes":
        """Draw what pushes one score up against what pushes it down, in one bar."""
        from fivefold.explanation.pictures.force import draw_force

        return draw_force(of_row(self.found, row, output, language), most, ax)

    def beeswarm(
        self,
        *,
        output: str = "",
        most: int = MOST_BARS,
        ax: "Axes | None" = None,
        language: Language = "en",
    ) -> "Axes":
        """Draw the attributions of every row as points, coloured by the value of the feature where that is known."""
        from fivefold.explanation.pictures.swarm import draw_swarm

        return draw_swarm(of_all(self.found, output, language), most, ax)

    def scatter(
        self,
        feature: str | int,
        *,
        colour_by: str | int | None = None,
        output: str = "",
        ax: "Axes | None" = None,
        language: Language = "en",
    ) -> "Axes":
        """Draw the attribution of one feature against its value.

        Args:
            feature: Its name or position.
            colour_by: Feature that colours the points; by default the one that seems to act most with it.
            output: Name of the output.
            ax: Where to draw.
            language: Of the words.

        Raises:
            BadInput: There is no such feature, or the attribution does not hold the inputs.
        """
        from fivefold.explanation.pictures.dependence import draw_dependence

        return draw_dependence(of_all(self.found, output, language), feature, colour_by, ax)

    def heatmap(
        self,
        *,
        output: str = "",
        most: int = MOST_LINES,
        ax: "Axes | None" = None,
        language: Language = "en",
    ) -> "Axes":
        """Draw every row as a column of colours, in the order of the scores."""
        from fivefold.explanation.pictures.grid import draw_grid

        return draw_grid(of_all(self.found, output, language), most, ax)

    def decision(
        self,
        row: int | None = None,
        *,
        output: str = "",
        most: int = MOST_LINES,
        ax: "Axes | None" = None,
        language: Language = "en",
    ) -> "Axes":
        """Draw how the scores of all rows, or of one, grow feature by feature; at most 200 lines."""
        from fivefold.explanation.pictures.decision import draw_decision

        if row is None:
            return draw_decision(of_all(self.found, output, language), most, ax)
        return draw_decision(of_row(self.found, row, output, language), most, ax)

    def text(
        self, row: int = 0, *, output: str = "", ax: "Axes | None" = None, language: Language = "en"
    ) -> "Axes":
        """Draw a text with its words marked by what they moved; Chinese wraps between characters."""
        from fivefold.explanation.pictures.words import draw_text

        return draw_text(of_row(self.found, row, output, language), ax)

    def image(
        self, row: int = 0, *, output: str = "", ax: "Axes | None" = None, language: Language = "en"
    ) -> "Axes":
        """Draw an image, and what moved the answer over it, beside it."""
        from fivefold.explanation.pictures.image import draw_image

        return draw_image(of_row(self.found, row, output, language), ax)

    def drift(
        self,
        after: "Attribution",
        *,
        output: str = "",
        most: int = MOST_BARS,
        ax: "Axes | None" = None,
        language: Language = "en",
    ) -> "Axes":
        """Draw these attributions beside those of the same rows by another model, such as the next stage."""
        from fivefold.explanation.pictures.drift import draw_drift

        view = of_all(self.found, output, language)
        named = self.found.outputs[view.output]
        return draw_drift(view, of_all(after, named, language), most, ax)

    def curve(
        self,
        model: Model,
        background: Inputs,
        *,
        rng: Generator,
        ax: "Axes | None" = None,
        language: Language = "en",
    ) -> "Axes":
        """Draw how the model's answer grows and falls as features are shown and hidden, beside random orders.

        Args:
            model: What was explained.
            background: Rows that hidden features are taken from.
            rng: Source of the random orders.
            ax: Where to draw.
            language: Of the words.

        Raises:
            BadInput: The attribution does not hold the inputs.
        """
        from fivefold.explanation.pictures.curves import draw_curves, make_curves

        found = make_curves(self.found, model, background, rng)
        view = of_all(self.found, "", language)
        return draw_curves(view, found, is_class=model.task.is_classification, ax=ax)
