"""How much each feature moved an answer, and how sure that is."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from jaxtyping import Bool, Float
from torch import Tensor

from fivefold.core.data import Inputs, as_tensor
from fivefold.core.errors import BadInput
from fivefold.core.interval import Z95
from fivefold.core.model import Model
from fivefold.core.schema import Schema
from fivefold.core.text import LANGUAGES, Language, Text
from fivefold.explanation.output import output_index
from fivefold.explanation.pictures.plot import Plot
from fivefold.perturb import Groups

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame

    from fivefold.explanation.ranking import Ranking

EXACT = (
    "ExactShapley",
    "LinearSHAP",
    "TreeSHAP",
)  # explainers whose values are the values themselves


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
        x: The examples that were explained, if they are kept; pictures show their values.
        schema: What is known about them.
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
    x: Tensor | None = None
    schema: Schema | None = None

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

    @property
    def is_exact(self) -> bool:
        """Whether the values are known to be free of error; False where nobody estimated it."""
        return self.error is None and self.method.partition(",")[0] in EXACT

    def ranking(self, row: int = 0, output: str = "") -> "Ranking":
        """Return the features by absolute value, as far as their intervals tell them apart."""
        from fivefold.explanation.ranking import ranking

        return ranking(self, row, output)

    @property
    def plot(self) -> Plot:
        """The pictures: `plot(row)`, `plot.waterfall(row)`, `plot.bar()`, `plot.beeswarm()` and others."""
        return Plot(self)

    def with_inputs(self, model: Model, x: Inputs) -> Self:
        """Return the same attributions together with the examples, so that pictures show their values.

        Raises:
            BadInput: These are not as many examples as were explained.
        """
        kept = as_tensor(x)
        if len(kept) != len(self.values):
            raise BadInput(
                "{found} examples were given, and {wanted} were explained.",
                where="x",
                mend="Give the examples that were explained, in the same order.",
                found=len(kept),
                wanted=len(self.values),
            )
        return replace(self, x=kept.detach(), schema=model.schema)

    def index_of(self, output: str, row: int) -> int:
        """Return the position of an output; of the one with the highest score if it has no name.

        Raises:
            BadInput: There is no such output.
        """
        return output_index(self.outputs, output, self.score[row])

    def to_frame(self, backend: str = "polars") -> "IntoDataFrame":
        """Return one line per row, output and feature as a table of `backend` (polars, pandas, pyarrow)."""
        from fivefold.explanation.records import frame_of

        return frame_of(self, backend)

    def to_csv(self, path: Path | str | None = None) -> str:
        """Return one line per row, output and feature as CSV, and write it to `path` if there is one."""
        from fivefold.explanation.records import csv_of

        return csv_of(self, None if path is None else Path(path))

    def to_json(self, path: Path | str | None = None, *, inputs: bool = True) -> str:
        """Return everything as JSON that `from_json` reads, and write it to `path` if there is one.

        Args:
            path: Where to write it.
            inputs: Whether the examples go with it; they may be about people.
        """
        from fivefold.explanation.interchange import json_of

        return json_of(self, None if path is None else Path(path), inputs=inputs)

    @staticmethod
    def from_json(told: str | Path) -> "Attribution":
        """Return what `to_json` wrote: its text, or the path of its file.

        Raises:
            BadInput: It is something else.
        """
        from fivefold.explanation.interchange import attribution_from

        return attribution_from(told, Attribution)

    def to_html(self, language: Language = "en") -> str:
        """Return a picture and tables of the first examples, without scripts or anything from outside."""
        from fivefold.explanation.pictures.html import as_html

        return as_html(self, (language,))

    def _repr_html_(self) -> str:
        from fivefold.explanation.pictures.html import as_html

        return as_html(self, LANGUAGES)


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
