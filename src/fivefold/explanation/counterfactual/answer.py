"""Changes that turn an answer, as numbers, sentences, files and pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor

from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.core.text import Language

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Change(NamedTuple):
    """One column that changes, from `old` to `new`; a missing value is NaN."""

    column: str
    old: float
    new: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Counterfactuals:
    """For each row up to a few changes after which the model answers as wanted, the best first.

    Every one has the model's answer, asked a second time unless time ran out, and keeps the schema's
    rules. They say what the model would answer,
    not what would happen in the world.

    Attributes:
        x: The rows.
        before: The model's answers to them, `(rows, outputs)`; NaN where time ran out before.
        values: The rows as they would have to be, `(rows, answers, columns)`; NaN where there is none.
        outputs: The model's answers to those, `(rows, answers, outputs)`.
        distance: Length of each change, in units of the schema's scale, added up over the columns that
            change; infinite where there is none.
        outlier: Local outlier factor of the changed row among the background: about 1 if it is
            ordinary; NaN where there is none, or too small a background to tell.
        usual: The factor that still counts as ordinary: 95 % of the background have less, or the row
            itself has it, `(rows,)`.
        n_evaluations: Answers asked of the model for each row.
        is_done: Whether the row is as wanted already.
        may_change: Whether any column of the row may change.
        is_stopped: Whether the time limit ended the search of a row, `(rows,)`.
        seconds: The time limit.
        schema: What the columns are.
        task: What is predicted.
    """

    x: Float[Tensor, "rows columns"]
    before: Float[Tensor, "rows outputs"]
    values: Float[Tensor, "rows answers columns"]
    outputs: Float[Tensor, "rows answers outputs"]
    distance: Float[Tensor, "rows answers"]
    outlier: Float[Tensor, "rows answers"]
    usual: Float[Tensor, " rows"]
    n_evaluations: Int[Tensor, " rows"]
    is_done: Bool[Tensor, " rows"]
    may_change: Bool[Tensor, " rows"]
    is_stopped: Bool[Tensor, " rows"]
    seconds: float
    schema: Schema
    task: Task

    @property
    def found(self) -> Bool[Tensor, "rows answers"]:
        """Which answers exist."""
        return self.distance.isfinite()

    @property
    def is_plausible(self) -> Bool[Tensor, "rows answers"]:
        """Which changed rows are no stranger than the row itself or than 95 % of the background."""
        return self.outlier <= self.usual[:, None]

    @property
    def n_changed(self) -> Int[Tensor, "rows answers"]:
        """How many columns change; 0 where there is no answer."""
        old = self.x[:, None]
        gap = self.values.isnan() & old.isnan()
        return (((self.values != old) & ~gap) & self.found[..., None]).sum(-1)

    def changes(self, row: int = 0, answer: int = 0) -> tuple[Change, ...]:
        """Return what changes, in the order of the columns; nothing where there is no answer."""
        if not self.found[row, answer]:
            return ()
        old, new = _short(self.x[row]), _short(self.values[row, answer])
        pairs = zip(self.schema.names(), old, new, strict=True)
        return tuple(Change(*p) for p in pairs if p[1] != p[2] and (p[1] == p[1] or p[2] == p[2]))

    def sentences(self, row: int = 0, language: Language = "en") -> list[str]:
        """Return a sentence for each answer of a row, or one that says why there is none."""
        from fivefold.explanation.counterfactual.told import told

        return told(self, row, language)

    def to_json(self, path: Path | None = None) -> str:
        """Return everything as JSON; write it too if there is a path."""
        from fivefold.explanation.counterfactual.export import as_json, kept

        return kept(as_json(self), path)

    def to_csv(self, path: Path | None = None) -> str:
        """Return one line per changed column of each answer; write it too if there is a path."""
        from fivefold.explanation.counterfactual.export import as_csv, kept

        return kept(as_csv(self), path)

    def plot(self, row: int = 0, ax: "Axes | None" = None) -> "Axes":
        """Draw what changes in each answer of one row, from -> to, as bars in units of the schema's scale.

        Args:
            row: Which row.
            ax: Where to draw; a new figure by default. Nothing is shown or saved.
        """
        from fivefold.explanation.counterfactual.picture import draw

        return draw(self, row, ax)

    def _repr_html_(self) -> str:
        from fivefold.explanation.counterfactual.picture import as_html

        return as_html(self)


def _short(values: Float[Tensor, " columns"]) -> list[float]:
    """Return numbers with as few digits as tell them apart in single precision: 0.1, not 0.100000001."""
    return [float(str(v)) for v in values.float().numpy()]
