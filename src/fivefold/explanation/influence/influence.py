"""How much each training example moved an answer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jaxtyping import Bool, Float
from torch import Tensor

from fivefold.core.data import Batch
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.core.text import Text
from fivefold.explanation.influence.ranking import Top, top_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, kw_only=True, eq=False)
class Influence:
    """Influence of training examples on some answers; it holds those examples, and shows them.

    Whoever may see this result may see training rows: their columns, pictures or words, and their
    labels. Influences are computed from the rows without noise, so no privacy guarantee covers them.

    Attributes:
        values: What learning from the example added to the score of the row, `(rows, train)`; positive
            where it spoke for the class asked about, or raised the number.
        error: Standard error over models trained apart, `(rows, train)`; None of fewer than two.
        is_converged: Whether the method's own condition holds for a row, `(rows,)`; None if it has none.
        limits: What the values leave out, in sentences.
        train: The examples that the model learned from.
        x: The rows, and the class asked about of each.
        schema: What the values of an example mean.
        task: What is predicted.
        method: Which method made them, with its settings.
        unit: What one unit of a value is.
        n_models: How many models were looked at.
    """

    values: Float[Tensor, "rows train"]
    error: Float[Tensor, "rows train"] | None
    is_converged: Bool[Tensor, " rows"] | None
    limits: tuple[Text, ...]
    train: Batch
    x: Batch
    schema: Schema
    task: Task
    method: str
    unit: Text
    n_models: int = 1

    def top(self, row: int = 0, k: int = 5) -> Top:
        """Return the `k` training examples that spoke most for the answer, and the `k` most against it."""
        return top_of(self, row, k)

    def plot(self, row: int = 0, k: int = 5, ax: "Axes | None" = None) -> "Axes":
        """Draw the strongest examples of one row: bars for a table or texts, thumbnails for images.

        Args:
            row: Which row.
            k: How many on each side.
            ax: Where to draw; a new figure by default. Nothing is shown or saved.
        """
        from fivefold.explanation.influence.picture import draw

        return draw(self, row, k, ax)

    def to_json(self, k: int = 10) -> str:
        """Return the strongest `k` examples on each side of every row, with what limits them."""
        from fivefold.explanation.influence.export import as_json

        return as_json(self, k)

    def to_csv(self, k: int = 10) -> str:
        """Return the strongest `k` examples on each side of every row, one a line."""
        from fivefold.explanation.influence.export import as_csv

        return as_csv(self, k)

    def _repr_html_(self) -> str:
        from fivefold.explanation.influence.page import as_html

        return as_html(self)
