"""How much each feature moved an answer, and how sure that is."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jaxtyping import Bool, Float
from torch import Tensor

from fivefold.core.interval import Z95
from fivefold.core.text import Text
from fivefold.perturb import Groups

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, kw_only=True, eq=False)
class Attribution:
    """Attributions of some examples, for every output at once.

    Attributes:
        values: Share of each feature in (score of the example - base), `(rows, features, outputs)`.
        base: Score that they start from, `(rows, outputs)`.
        score: Score that was explained, `(rows, outputs)`.
        error: Standard error of each value, infinite where there were too few masks; of integrated
            gradients an estimate of what integration misses; None if exact, or not estimated.
        is_converged: Whether the values of a row are sure enough to rank features, `(rows,)`.
        groups: The features.
        outputs: Names of the outputs.
        method: Which explainer made them, with its settings.
        unit: What one unit of a value is.
        n_evaluations: How many inputs the model answered.
        fit: R2 of a local model, `(rows, outputs)`; None if there is none.
        reason: Why this method was taken, if it was chosen automatically.
        is_standard: Whether `error` is a standard error, so that an interval follows from it.
    """

    values: Float[Tensor, "rows features outputs"]
    base: Float[Tensor, "rows outputs"]
    score: Float[Tensor, "rows outputs"]
    error: Float[Tensor, "rows features outputs"] | None
    is_converged: Bool[Tensor, " rows"]
    groups: Groups
    outputs: tuple[str, ...]
    method: str
    unit: Text
    n_evaluations: int
    fit: Float[Tensor, "rows outputs"] | None = None
    reason: Text = Text("")
    is_standard: bool = True

    @property
    def half_width(self) -> Float[Tensor, "rows features outputs"] | None:
        """Half the 95 % interval of each value; the bare `error` where it is no standard error."""
        if self.error is None:
            return None
        return Z95 * self.error if self.is_standard else self.error

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return self.groups.names

    @property
    def gap(self) -> Float[Tensor, "rows outputs"]:
        """What the values lack to add up to the score: 0 for Shapley values, an error for gradients."""
        return self.score - self.base - self.values.sum(1)

    def plot(self, row: int = 0, output: str = "", ax: "Axes | None" = None) -> "Axes":
        """Draw one example: bars with 95 % whiskers for a table, a heat map for an image.

        Args:
            row: Which example.
            output: Name of the output; the one with the highest score by default.
            ax: Where to draw; a new figure by default. Nothing is shown or saved.
        """
        from fivefold.explanation.picture import draw

        return draw(self, row, self.index_of(output, row), ax)

    def index_of(self, output: str, row: int) -> int:
        """Return the position of an output; of the one with the highest score if it has no name."""
        return self.outputs.index(output) if output else int(self.score[row].argmax())

    def _repr_html_(self) -> str:
        from fivefold.explanation.picture import as_html

        return as_html(self)


def of_output(
    values: Float[Tensor, "rows features outputs"], output: Tensor
) -> Float[Tensor, "rows features"]:
    """Return the attributions of one output per row."""
    index = output[:, None, None].expand(-1, values.shape[1], 1)
    return values.gather(2, index)[:, :, 0]


def is_sure(
    values: Float[Tensor, "rows features outputs"],
    error: Float[Tensor, "rows features outputs"],
    tolerance: float,
) -> Bool[Tensor, " rows"]:
    """Return whether no output's error is longer than `tolerance` times the row's longest attribution."""
    length = values.norm(dim=1).amax(-1)
    return error.norm(dim=1).amax(-1) <= tolerance * length
