"""What is known about each input: types, ranges, what may change, whom it concerns."""

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fivefold.core.errors import no_text


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table.

    A table is one float tensor: numbers as they are, categories as the index of their name, missing
    values as NaN.

    Attributes:
        name: Name of the column.
        kind: Number, whole number, or one of `categories`.
        categories: Names of the categories; a value is the index of its name.
        low: Smallest value that makes sense.
        high: Largest value that makes sense.
        center: Value that preparation moves to 0.
        scale: Width that preparation makes 1; also the unit of a perturbation's `eps`.
        is_observed: Whether range, centre or scale were read from training rows. If they were, this
            is access to data, and a privacy claim must pay for it.
        is_optional: Whether the value may be missing.
        is_immutable: Whether it cannot change (age, birthplace): counterfactuals and attacks leave it.
        is_protected: Whether results must be compared between its groups.
        is_personal: Whether it identifies a person.
        monotone: 1 if the answer may only rise with it, -1 if only fall, 0 if either.
        cuts: Where to cut a number into groups.
    """

    name: str
    kind: Literal["number", "integer", "category"] = "number"
    categories: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    center: float = 0.0
    scale: float = 1.0
    is_observed: bool = False
    is_optional: bool = False
    is_immutable: bool = False
    is_protected: bool = False
    is_personal: bool = False
    monotone: Literal[-1, 0, 1] = 0
    cuts: tuple[float, ...] = ()

    @property
    def is_category(self) -> bool:
        """Whether the value is an index into `categories`."""
        return self.kind == "category"


class Space(NamedTuple):
    """Where inputs may lie and move; tensors of one example's shape.

    `unit` is the length of one step of `eps` in each direction; `can_move` is False where an attack or
    a counterfactual must not touch the value (categories, immutable columns).
    """

    low: Float[Tensor, "..."]
    high: Float[Tensor, "..."]
    unit: Float[Tensor, "..."]
    can_move: Bool[Tensor, "..."]


@dataclass(frozen=True, kw_only=True)
class Schema:
    """All inputs of a model.

    Attributes:
        columns: The columns of a table, in order; empty for images.
        shape: Shape of one example: `(columns,)`, `(channel, height, width)` with pixels in [0, 1], or
            `(characters,)` of a text.
        is_text: Whether an example is a text, as the code points of its characters (core.codepoints).
    """

    columns: tuple[Column, ...] = ()
    shape: tuple[int, ...] = ()
    is_text: bool = False

    def __post_init__(self) -> None:
        if self.is_text and (self.columns or len(self.shape) != 1):
            raise ValueError(f"A text cannot have columns or the shape {self.shape}.")
        if self.columns and self.shape != (len(self.columns),):
            raise ValueError(f"{len(self.columns)} columns cannot have the shape {self.shape}.")

    @property
    def is_table(self) -> bool:
        """Whether the inputs are named columns."""
        return bool(self.columns)

    @property
    def is_observed(self) -> bool:
        """Whether any statistic in it was read from training rows."""
        return any(c.is_observed for c in self.columns)

    @property
    def n_features(self) -> int:
        """Number of values in one example."""
        return prod(self.shape)

    def names(self) -> tuple[str, ...]:
        """Return one name per value of an example, flattened."""
        if self.is_table:
            return tuple(c.name for c in self.columns)
        return tuple(",".join(map(str, _unravel(i, self.shape))) for i in range(self.n_features))

    def space(self) -> Space:
        """Return where inputs may lie and move.

        Raises:
            NotMeasurable: They are texts, which have no directions to move in.
        """
        if self.is_text:
            raise no_text("Moving inputs a little")
        if not self.is_table:
            one = torch.ones(self.shape)
            return Space(torch.zeros(self.shape), one, one, one.bool())
        low = [-torch.inf if c.low is None else c.low for c in self.columns]
        high = [torch.inf if c.high is None else c.high for c in self.columns]
        return Space(
            torch.tensor(low),
            torch.tensor(high),
            torch.tensor([c.scale for c in self.columns]),
            torch.tensor([not (c.is_category or c.is_immutable) for c in self.columns]),
        )


class Grouping(NamedTuple):
    """A way to tell groups apart: `member` is (batch,) int64 into `labels`, -1 where unknown."""

    name: str
    labels: tuple[str, ...]
    member: Tensor


def groupings(schema: Schema, x: Float[Tensor, "batch columns"]) -> list[Grouping]:
    """Return one grouping per protected column of a table."""
    return [
        _grouping(column, x[:, i]) for i, column in enumerate(schema.columns) if column.is_protected
    ]


def _grouping(column: Column, values: Float[Tensor, " batch"]) -> Grouping:
    unknown = values.isnan()
    if column.is_category:
        index, labels = values.nan_to_num(-1).long(), column.categories
    else:
        cuts = [-torch.inf, *column.cuts, torch.inf]
        index = torch.bucketize(values.contiguous(), torch.tensor(column.cuts), right=True)
        labels = tuple(f"{a:g} to {b:g}" for a, b in pairwise(cuts))
    return Grouping(column.name, labels, index.masked_fill(unknown, -1))


def _unravel(index: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    place: list[int] = []
    for size in reversed(shape):
        place.append(index % size)
        index //= size
    return tuple(reversed(place))
