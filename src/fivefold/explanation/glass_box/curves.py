"""Curves over the columns of a table: where they bend, what they say, and how they look."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fivefold.core.schema import Schema
from fivefold.core.text import Language, text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CURVES = 6
COMMON = 0.02  # ridge on steps, so that rare categories and gaps stay near the mean


class Levels(NamedTuple):
    """The places of each column at which a height is fitted: knots of a number, or categories; then gaps."""

    knots: tuple[Float[Tensor, " knots"] | None, ...]  # None for a category
    sizes: tuple[int, ...]  # knots or categories of each column; one more is for gaps
    owner: Int[Tensor, " levels"]

    def design(self, x: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows levels"]:
        """Return the weight of each level in each row; those of a column add up to 1."""
        return torch.cat([self._of(i, x[:, i].double()) for i in range(x.shape[1])], 1)

    def _of(self, column: int, values: Float[Tensor, " rows"]) -> Float[Tensor, "rows levels"]:
        knots, size = self.knots[column], self.sizes[column]
        if knots is None:
            place = values.nan_to_num(0.0).clamp(0, size - 1)
        else:
            place = _place(knots, values.nan_to_num(float(knots[0])))
        away = (place[:, None] - torch.arange(size).double()).abs()
        is_gap = values.isnan()[:, None]
        hats = (1 - away).clamp(min=0).masked_fill(is_gap, 0.0)
        return torch.cat([hats, is_gap.double()], 1)

    def roughness(self) -> Float[Tensor, "levels levels"]:
        """Return the penalty: bends of curves, sizes of steps."""
        return torch.block_diag(*(self._rough(i) for i in range(len(self.sizes))))

    def _rough(self, column: int) -> Tensor:
        knots, size = self.knots[column], self.sizes[column]
        found = COMMON * torch.eye(size + 1, dtype=torch.float64)
        if knots is not None:
            found[:size, :size] = 0.0
            bends = _bends(knots)
            found[:size, :size] += bends.T @ bends
        return found

    def mean_of(
        self, centre: Float[Tensor, " levels"], heights: Float[Tensor, "levels outputs"]
    ) -> Float[Tensor, "columns outputs"]:
        """Return the mean height of each column over rows whose mean design is `centre`."""
        found = torch.zeros(len(self.sizes), heights.shape[1], dtype=torch.float64)
        return found.index_add(0, self.owner, centre[:, None] * heights)


class Curves(NamedTuple):
    """A sum of curves; `middle` is the mean height of each, which is drawn as 0.

    `mass` is the share of the fitted rows at each level; without any, a level has the mean height. Beyond its outermost knots a
    curve stays level.
    """

    schema: Schema
    levels: Levels
    heights: Float[Tensor, "levels outputs"]
    constant: Float[Tensor, " outputs"]
    middle: Float[Tensor, "columns outputs"]
    mass: Float[Tensor, " levels"]

    def predict(self, x: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows outputs"]:
        """Return the sum of the curves at each row."""
        return self.levels.design(x) @ self.heights + self.constant

    def curve(self, column: int) -> Float[Tensor, "levels outputs"]:
        """Return the heights of one column above their mean; the last is that of gaps."""
        return self.heights[self.levels.owner == column] - self.middle[column]

    def size(self) -> Float[Tensor, "columns outputs"]:
        """Return the standard deviation of each curve over the fitted rows."""
        away = self.heights - self.middle[self.levels.owner]
        return self.levels.mean_of(self.mass, away**2).sqrt()

    def _seen(self, column: int) -> Tensor:
        curve = self.curve(column)
        return curve if self.mass[self.levels.owner == column][-1] > 0 else curve[:-1]

    def lines(self, outputs: tuple[str, ...], unit: str, language: Language) -> list[str]:
        """Return how far the largest curves reach, of the output that they move most."""
        size = self.size()
        at = int(size.sum(0).argmax())
        order = size[:, at].sort(descending=True, stable=True).indices[:MOST_CURVES].tolist()
        return [self._line(i, at, outputs[at], unit, language) for i in order]

    def _line(self, column: int, at: int, output: str, unit: str, language: Language) -> str:
        curve = self._seen(column)[:, at]
        names = self._names(column, language)
        return text(
            "{column} moves {output} from {low} (at {where_low}) to {high} (at {where_high}), in {unit}.",
            column=self.schema.columns[column].name,
            output=output,
            low=float(curve.min()),
            where_low=names[int(curve.argmin())],
            high=float(curve.max()),
            where_high=names[int(curve.argmax())],
            unit=unit,
        ).words(language)

    def _names(self, column: int, language: Language) -> list[str]:
        knots = self.levels.knots[column]
        named = self.schema.columns[column].categories
        shown = list(named) if knots is None else [f"{k:.4g}" for k in knots.tolist()]
        return [*shown, text("missing").words(language)]

    def pictures(self) -> list[str]:
        """Return the columns with the largest curves."""
        order = self.size().sum(1).sort(descending=True, stable=True).indices[:MOST_CURVES]
        return [self.schema.columns[i].name for i in order.tolist()]

    def draw(self, ax: "Axes", output: int, column: str, unit: str, language: Language) -> None:
        """Draw the curve of one column; of the one with the largest if it has no name."""
        from fivefold.explanation.glass_box.drawing import draw_curve, name_axes

        index = self.schema.names().index(column or self.pictures()[0])
        knots, names = self.levels.knots[index], self._names(index, language)
        draw_curve(ax, knots, names, self._seen(index)[:, output].tolist())
        name_axes(ax, self.schema.columns[index].name, unit)


def levels_of(schema: Schema, x: Float[Tensor, "rows columns"], most: int) -> Levels:
    """Return knots at quantiles for numbers, and all categories."""
    knots = tuple(
        None if c.is_category else _knots(x[:, i], most) for i, c in enumerate(schema.columns)
    )
    sizes = tuple(
        max(1, len(c.categories)) if k is None else len(k)
        for c, k in zip(schema.columns, knots, strict=True)
    )
    counts = torch.tensor(sizes) + 1
    return Levels(knots, sizes, torch.arange(len(sizes)).repeat_interleave(counts))


def _knots(values: Float[Tensor, " rows"], most: int) -> Float[Tensor, " knots"]:
    known = values[~values.isnan()].double().unique()
    if len(known) <= most:
        return known if len(known) else torch.zeros(1, dtype=torch.float64)
    places = torch.linspace(0, 1, most, dtype=torch.float64)
    return values[~values.isnan()].double().quantile(places).unique()


def _place(knots: Float[Tensor, " knots"], values: Float[Tensor, " rows"]) -> Tensor:
    """Return where each value lies between the knots: 2.5 is halfway from the third to the fourth."""
    if len(knots) == 1:
        return torch.zeros_like(values)
    values = values.clamp(float(knots[0]), float(knots[-1]))
    right = torch.searchsorted(knots, values.contiguous()).clamp(1, len(knots) - 1)
    left = right - 1
    return left + (values - knots[left]) / (knots[right] - knots[left])


def _bends(knots: Float[Tensor, " knots"]) -> Float[Tensor, "bends knots"]:
    """Return the matrix that takes heights to the changes of slope, for a column of width 1."""
    n = len(knots)
    found = torch.zeros(max(n - 2, 0), n, dtype=torch.float64)
    gaps = knots.diff() / (knots[-1] - knots[0]).clamp(min=1e-300)
    for i in range(n - 2):
        found[i, i], found[i, i + 2] = 1 / gaps[i], 1 / gaps[i + 1]
        found[i, i + 1] = -(found[i, i] + found[i, i + 2])
    return found / max(n, 1)
