"""From what a recipe declares and what training rows show to the schema's column."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np

from fivefold.core.errors import BadInput
from fivefold.core.schema import Column
from fivefold.core.text import Text, text
from fivefold.data.parse import Kind, Numbers, Words, in_order

Place = Callable[[int | None], str]
MOST_CATEGORIES = 1000


@dataclass(frozen=True, kw_only=True)
class ColumnSpec:
    """What is known of a column before the data are opened. What is left out is read from training rows.

    What is read from training rows is access to data, which a privacy claim must pay for; so declare
    `low` and `high` (then centre and scale follow: the middle, and a quarter of the width) or
    `categories` from public knowledge wherever a private model is wanted.

    Attributes:
        kind: Number, whole number or category; by default what the values look like.
        categories: Names of the categories, in order; any other value is refused.
        low: Smallest value that makes sense; a smaller one is refused.
        high: Largest value that makes sense; a larger one is refused.
        center: Value that preparation moves to 0.
        scale: Width that preparation makes 1; also the unit of a perturbation.
        is_optional: Whether the value may be missing; by default whether it ever is.
        is_immutable: Whether it cannot change (age, birthplace).
        is_protected: Whether results must be compared between its groups.
        is_personal: Whether it identifies a person; then it is refused as an input unless it is named
            in the table's `allow_personal`.
        monotone: 1 if the answer may only rise with it, -1 if only fall, 0 if either.
        cuts: Where to cut a protected number into groups, ascending.
    """

    kind: Kind | None = None
    categories: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    center: float | None = None
    scale: float | None = None
    is_optional: bool | None = None
    is_immutable: bool = False
    is_protected: bool = False
    is_personal: bool = False
    monotone: Literal[-1, 0, 1] = 0
    cuts: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low = {self.low:g} must be smaller than high = {self.high:g}.")
        if self.scale is not None and self.scale <= 0:
            raise ValueError(f"scale = {self.scale:g} must be above 0.")
        if any(a >= b for a, b in pairwise(self.cuts)):
            raise ValueError(f"cuts = {list(self.cuts)} must ascend.")
        if self.categories and self.kind not in (None, "category"):
            raise ValueError(f"A column with categories is no {self.kind}.")
        if len(set(self.categories)) < len(self.categories):
            raise ValueError(f"categories = {list(self.categories)} has a name twice.")

    @property
    def wanted(self) -> Kind | None:
        """What the values must be; None if they may decide."""
        return "category" if self.categories else self.kind


class Described(NamedTuple):
    """A column with its values as a model eats them (float64, NaN where missing)."""

    column: Column
    values: np.ndarray
    notes: tuple[Text, ...] = ()


def describe(
    name: str, spec: ColumnSpec, found: Numbers | Words, train: np.ndarray, place: Place
) -> Described:
    """Return the schema's column. Only the rows `train` are looked at for what is not declared.

    Raises:
        BadInput: A value is outside the declared range or categories, a category never occurs in
            training, or there is nothing to observe.
    """
    if isinstance(found, Words):
        described = _category(name, spec, found, train, place)
    else:
        described = _number(name, spec, found, train, place)
    missing = np.isnan(described.values)
    if spec.is_optional is False and missing.any():
        raise BadInput(
            "{column} is missing here, and it is not optional.",
            where=place(int(missing.argmax())),
            mend="Fill it in, or say is_optional = true for this column.",
            column=name,
        )
    return described


def _category(
    name: str, spec: ColumnSpec, found: Words, train: np.ndarray, place: Place
) -> Described:
    names = spec.categories or _observed_categories(name, found, train, place)
    index = {n: float(i) for i, n in enumerate(names)}
    values = np.array([index.get(w, np.nan) for w in found.values.to_list()], dtype=np.float64)
    missing = found.values.is_null().to_numpy()
    unseen = np.isnan(values) & ~missing
    optional = _is_optional(spec, missing)
    notes: tuple[Text, ...] = ()
    if unseen.any():
        row = int(unseen.argmax())
        word = str(found.values[row])
        if spec.categories or not optional:
            raise _unknown_category(name, word, names, bool(spec.categories), place(row))
        notes = (
            text(
                "{n} values of {column}, such as {value}, never occur in training and count as missing.",
                n=int(unseen.sum()), column=name, value=word,
            ),
        )  # fmt: skip
    observed = not spec.categories or _peeked(spec, missing)
    return Described(_column(name, spec, "category", names, optional, observed), values, notes)


def _observed_categories(
    name: str, found: Words, train: np.ndarray, place: Place
) -> tuple[str, ...]:
    words = found.values[train].drop_nulls()
    names = words.unique().to_list()
    if not names:
        raise _nothing_to_observe(name, place)
    if len(names) > MOST_CATEGORIES or (len(names) == len(words) and len(words) >= 20):
        raise BadInput(
            "{column} has {n} different values in {rows} training rows; it looks like a name or free text.",
            where=place(None),
            mend="Put it into drop = [...], or declare its categories.",
            column=name,
            n=len(names),
            rows=len(words),
        )
    return in_order(names)


def _unknown_category(
    name: str, word: str, names: tuple[str, ...], is_declared: bool, place: str
) -> BadInput:
    return BadInput(
        "{value} is not a declared category of {column}."
        if is_declared
        else "{value} never occurs in the training rows of {column}.",
        where=place,
        mend="Correct it, or add it to the categories: {known}."
        if is_declared
        else "Declare the categories of this column, or say is_optional = true to count it as missing. Known: {known}.",
        value=repr(word)[:60],
        column=name,
        known=", ".join(names[:20]),
    )


def _number(
    name: str, spec: ColumnSpec, found: Numbers, train: np.ndarray, place: Place
) -> Described:
    values = found.values
    _check_range(name, spec, values, place)
    missing = np.isnan(values)
    seen = values[train][~missing[train]]
    low, high, center, scale = _statistics(name, spec, seen, place)
    notes: tuple[Text, ...] = ()
    public = spec.low is not None and spec.high is not None
    if not public and spec.scale is None and scale <= 1e-7 * abs(center):
        scale = 1.0
        notes = (text("{column} is the same in every training row; its scale is set to 1.", column=name),)  # fmt: skip
    if spec.is_protected and not spec.cuts:
        raise BadInput(
            "{column} is protected, and nothing says where its groups begin.",
            where=place(None),
            mend='Give it cuts = [...], or say kind = "category".',
            column=name,
        )
    kind = spec.kind or ("integer" if found.is_whole else "number")
    column = Column(
        name=name,
        kind=kind,
        low=low,
        high=high,
        center=center,
        scale=scale,
        is_observed=not public or _peeked(spec, missing),
        is_optional=_is_optional(spec, missing),
        is_immutable=spec.is_immutable,
        is_protected=spec.is_protected,
        is_personal=spec.is_personal,
        monotone=spec.monotone,
        cuts=spec.cuts,
    )
    return Described(column, values, notes)


def _check_range(name: str, spec: ColumnSpec, values: np.ndarray, place: Place) -> None:
    low = -np.inf if spec.low is None else spec.low
    high = np.inf if spec.high is None else spec.high
    outside = (values < low) | (values > high)
    if outside.any():
        row = int(outside.argmax())
        raise BadInput(
            "{value} is outside the declared range of {column}, {low} to {high}.",
            where=place(row),
            mend="Correct the value, or widen low and high if it is possible.",
            value=f"{values[row]:g}",
            column=name,
            low=f"{low:g}",
            high=f"{high:g}",
        )


def _statistics(
    name: str, spec: ColumnSpec, seen: np.ndarray, place: Place
) -> tuple[float, float, float, float]:
    """Return low, high, centre and scale: declared, or else read from the training values `seen`."""
    if spec.low is not None and spec.high is not None:
        center = (spec.low + spec.high) / 2 if spec.center is None else spec.center
        scale = (spec.high - spec.low) / 4 if spec.scale is None else spec.scale
        return spec.low, spec.high, center, scale
    if not len(seen):
        raise _nothing_to_observe(name, place)
    return (
        float(seen.min()) if spec.low is None else spec.low,
        float(seen.max()) if spec.high is None else spec.high,
        float(seen.mean()) if spec.center is None else spec.center,
        float(seen.std()) if spec.scale is None else spec.scale,
    )


def _column(
    name: str, spec: ColumnSpec, kind: Kind, names: tuple[str, ...], optional: bool, observed: bool
) -> Column:
    return Column(
        name=name,
        kind=kind,
        categories=names,
        is_observed=observed,
        is_optional=optional,
        is_immutable=spec.is_immutable,
        is_protected=spec.is_protected,
        is_personal=spec.is_personal,
        monotone=spec.monotone,
    )


def _is_optional(spec: ColumnSpec, missing: np.ndarray) -> bool:
    return bool(missing.any()) if spec.is_optional is None else spec.is_optional


def _peeked(spec: ColumnSpec, missing: np.ndarray) -> bool:
    """Whether the rows, and not the recipe, said that the value may be missing."""
    return spec.is_optional is None and bool(missing.any())


def _nothing_to_observe(name: str, place: Place) -> BadInput:
    return BadInput(
        "{column} has no value in any training row.",
        where=place(None),
        mend="Put it into drop = [...], or declare its range or its categories.",
        column=name,
    )
