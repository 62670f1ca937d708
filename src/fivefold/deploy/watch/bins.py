"""Values counted in a few cells, none of which holds fewer rows than would point at a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor, inf, log10, nextafter
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fivefold.core.schema import Column

LEAST = 10  # rows in a cell; rarer values are pooled, so that a count never points at a person
PARTS = 10  # equal shares that numbers are cut into
FINE = 200  # cuts are rounded to this part of the range, so that none is somebody's own value


@dataclass(frozen=True, kw_only=True)
class Bins:
    """How often the values of one column fell into each cell.

    Attributes:
        name: Name of the column.
        kind: Numbers are cut; a category is its own cell.
        cuts: Where numbers are cut, in rising order.
        labels: What each value is called: a category, or a stretch of numbers; the last is "missing".
        cells: The cell that each label was put in; rare labels share one.
        counts: Rows of the reference per cell.
    """

    name: str
    kind: Literal["number", "category"]
    cuts: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    cells: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.cells) != len(self.labels) or set(self.cells) != set(range(len(self.counts))):
            raise ValueError(f"{self.name}: labels, cells and counts do not fit.")

    def count(self, values: Float[Tensor, " row"]) -> Int[Tensor, " cell"]:
        """Return how many of `values` fall into each cell."""
        raw = _place(values, self.cuts, len(self.labels), self.kind)
        return torch.tensor(self.cells)[raw].bincount(minlength=len(self.counts))

    def names(self) -> tuple[str, ...]:
        """Return one name per cell."""
        inside = [[w for w, c in zip(self.labels, self.cells, strict=True) if c == i] for i in range(len(self.counts))]  # fmt: skip
        return tuple(words[0] if len(words) == 1 else "others" for words in inside)


def bins_of_column(column: Column, values: Float[Tensor, " row"]) -> Bins:
    """Return the counts of one column of a table."""
    if column.is_category:
        return bins_of_categories(column.name, column.categories, values)
    return bins_of_numbers(column.name, values)


def bins_of_categories(name: str, names: Sequence[str], values: Float[Tensor, " row"]) -> Bins:
    """Return the counts of values that are indices of names."""
    return _counted(name, "category", (), (*names, "missing"), values)


def bins_of_numbers(name: str, values: Float[Tensor, " row"]) -> Bins:
    """Return the counts of numbers, cut into parts of about equal size at rounded places."""
    known = values[values.isfinite()].double()
    cuts = _cuts(known) if len(known) else ()
    return _counted(name, "number", cuts, (*_stretches(cuts), "missing"), values)


def _cuts(known: Float[Tensor, " row"]) -> tuple[float, ...]:
    shares = torch.linspace(0, 1, PARTS + 1, dtype=torch.float64)
    places = known.quantile(shares)
    width = float(places[-2] - places[1])
    if width == 0:  # four in five rows hold one value: below it, it, above it
        common = float(places[1])
        return (nextafter(common, -inf), common)
    step = 10.0 ** floor(log10(width / FINE * 10))
    return tuple(sorted({round(round(float(p) / step) * step, 12) for p in places[1:-1]}))


def _stretches(cuts: tuple[float, ...]) -> tuple[str, ...]:
    if not cuts:
        return ("any",)
    if len(cuts) == 2 and nextafter(cuts[1], -inf) == cuts[0]:
        return (f"< {cuts[1]:.6g}", f"{cuts[1]:.6g}", f"> {cuts[1]:.6g}")
    middle = [f"{a:.6g} … {b:.6g}" for a, b in pairwise(cuts)]
    return (f"≤ {cuts[0]:.6g}", *middle, f"> {cuts[-1]:.6g}")


def _counted(
    name: str, kind: Literal["number", "category"], cuts: tuple[float, ...], labels: tuple[str, ...], values: Float[Tensor, " row"]
) -> Bins:  # fmt: skip
    raw = _place(values, cuts, len(labels), kind).bincount(minlength=len(labels))
    cells = pooled(raw.tolist(), LEAST)
    counts = torch.zeros(max(cells) + 1, dtype=torch.long).index_add_(0, torch.tensor(cells), raw)
    return Bins(
        name=name, kind=kind, cuts=cuts, labels=labels, cells=cells, counts=tuple(counts.tolist())
    )


def pooled(counts: Sequence[float], least: float) -> tuple[int, ...]:
    """Return the cell of each count: rare ones share one, which takes in the next rarest until it is not rare.

    Nothing at all is not rare: that no row lacks a value points at nobody, and hides no change.
    """
    together, held = list[int](), 0.0
    for i in sorted(range(len(counts)), key=lambda i: counts[i]):
        if counts[i] == 0:
            continue
        if counts[i] >= least and (not together or held >= least):
            break
        together.append(i)
        held += counts[i]
    cells, free = [0] * len(counts), 1 if together else 0
    for i in range(len(counts)):
        if i not in together:
            cells[i], free = free, free + 1
    return tuple(cells)


def _place(
    values: Float[Tensor, " row"], cuts: tuple[float, ...], n_labels: int, kind: str
) -> Int[Tensor, " row"]:
    """Return the label of each value; what is missing or unknown is the last."""
    last = n_labels - 1
    if kind == "category":
        known = values.isfinite() & (values >= 0) & (values < last)
        return torch.where(known, values.nan_to_num(0.0, 0.0, 0.0), float(last)).long()
    found = torch.bucketize(values.double().contiguous(), torch.tensor(cuts, dtype=torch.float64))
    return found.masked_fill(values.isnan(), last)
