"""How features act together: main effects and pairs of each answer, and how sure they are."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fivefold.core.interval import Z95
from fivefold.core.text import Text
from fivefold.explanation.interactions.plot import InteractionPlot
from fivefold.explanation.output import output_index
from fivefold.perturb import Groups


@dataclass(frozen=True, kw_only=True, eq=False)
class Interactions:
    """Shapley interactions of order two (2-SII) of some examples, for every output at once.

    Attributes:
        values: Off the diagonal the Shapley interaction index of each pair, whole on both sides: what two
            features add together beyond what each adds alone. On the diagonal the main effect of each
            feature: its Shapley value minus half of its pairs. Main effects and pairs, each pair counted
            once, add up to (score - base). `(rows, features, features, outputs)`.
        base: Score that they start from, `(rows, outputs)`.
        score: Score that was explained, `(rows, outputs)`.
        error: Standard error of each value, infinite where there were too few sets; None if exact.
        is_converged: Whether the pairs of a row are sure enough to rank them, `(rows,)`.
        groups: The features.
        outputs: Names of the outputs.
        method: What made them.
        unit: What one unit of a value is.
        n_evaluations: How many inputs the model answered.
        reason: Why this method was taken, if it was chosen automatically.
    """

    values: Float[Tensor, "rows features features outputs"]
    base: Float[Tensor, "rows outputs"]
    score: Float[Tensor, "rows outputs"]
    error: Float[Tensor, "rows features features outputs"] | None
    is_converged: Bool[Tensor, " rows"]
    groups: Groups
    outputs: tuple[str, ...]
    method: str
    unit: Text
    n_evaluations: int
    reason: Text = Text("")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return self.groups.names

    @property
    def half_width(self) -> Float[Tensor, "rows features features outputs"] | None:
        """Half the 95 % interval of each value."""
        return None if self.error is None else Z95 * self.error

    @property
    def main(self) -> Float[Tensor, "rows features outputs"]:
        """The main effect of each feature."""
        return self.values.diagonal(dim1=1, dim2=2).transpose(1, 2)

    @property
    def pairs(self) -> Float[Tensor, "rows features features outputs"]:
        """The pairs alone: 0 on the diagonal."""
        off = 1 - torch.eye(self.groups.n, dtype=self.values.dtype)
        return self.values * off[:, :, None]

    @property
    def shapley(self) -> Float[Tensor, "rows features outputs"]:
        """The Shapley value of each feature: its main effect and half of its pairs."""
        return self.main + self.pairs.sum(2) / 2

    @property
    def gap(self) -> Float[Tensor, "rows outputs"]:
        """What the values lack to add up to the score."""
        return self.score - self.base - self.main.sum(1) - self.pairs.sum((1, 2)) / 2

    @property
    def plot(self) -> InteractionPlot:
        """The pictures: `plot.network(row)` and `plot.matrix(row)`."""
        return InteractionPlot(self)

    def strongest(self, row: int = 0, output: str = "", most: int = 10) -> list[tuple[str, str, float]]:  # fmt: skip
        """Return the pairs of one answer with the largest absolute interaction, largest first."""
        values = self.pairs[row, :, :, self.index_of(output, row)].triu(1)
        order = values.abs().flatten().sort(descending=True, stable=True).indices
        n = self.groups.n
        places = [divmod(int(k), n) for k in order.tolist() if int(k) // n < int(k) % n]
        return [(self.names[i], self.names[j], float(values[i, j])) for i, j in places[:most]]

    def index_of(self, output: str, row: int) -> int:
        """Return the position of an output; of the one with the highest score if it has no name.

        Raises:
            BadInput: There is no such output.
        """
        return output_index(self.outputs, output, self.score[row])

    def to_records(self) -> list[dict[str, object]]:
        """Return one record per row, output and pair; a feature with itself is its main effect."""
        from fivefold.explanation.interactions.records import records_of

        return list(records_of(self))

    def to_csv(self, path: Path | str | None = None) -> str:
        """Return the records as CSV, and write it to `path` if there is one."""
        from fivefold.explanation.interactions.records import csv_of

        return csv_of(self, None if path is None else Path(path))

    def to_json(self, path: Path | str | None = None) -> str:
        """Return everything as JSON, and write it to `path` if there is one; what is not finite is a word."""
        from fivefold.explanation.interactions.records import json_of

        return json_of(self, None if path is None else Path(path))


def is_sure(
    pairs: Float[Tensor, "rows features features outputs"],
    error: Float[Tensor, "rows features features outputs"],
    whole: Float[Tensor, "rows features features outputs"],
    tolerance: float,
) -> Bool[Tensor, " rows"]:
    """Return whether the error of each output's pairs is at most `tolerance` of them.

    Or a tenth of `tolerance` of all values: then no pair matters beside the main effects.
    """
    off = (1 - torch.eye(pairs.shape[1], dtype=torch.float64))[:, :, None]
    missed = (error * off).nan_to_num(nan=0.0, posinf=torch.inf).square().sum((1, 2)).sqrt()
    long = pairs.square().sum((1, 2)).sqrt()
    all_long = (whole.square().sum((1, 2)) - long.square() / 2).clamp(min=0).sqrt()
    return (missed <= torch.maximum(tolerance * long, tolerance / 10 * all_long)).all(1)
