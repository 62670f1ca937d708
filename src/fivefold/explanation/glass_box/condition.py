"""Where in a table a rule holds, as the shortest sentence about each column."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf

from fivefold.core.schema import Column
from fivefold.core.text import Language, Text, text


@dataclass(frozen=True)
class Where:
    """What a path through a tree says of one column.

    Attributes:
        low: A number must lie above it, ...
        high: ... and at or below it.
        is_one: The category that it must be; -1 for none.
        is_none: Categories that it must not be.
        takes_gaps: Whether the value may be missing.
    """

    low: float = -inf
    high: float = inf
    is_one: int = -1
    is_none: frozenset[int] = field(default_factory=frozenset[int])
    takes_gaps: bool = True

    def below(self, threshold: float, takes_gaps: bool) -> "Where":
        """Return the part at or below a threshold."""
        high = min(self.high, threshold)
        return replace(self, high=high, takes_gaps=self.takes_gaps and takes_gaps)

    def above(self, threshold: float, takes_gaps: bool) -> "Where":
        """Return the part above a threshold."""
        low = max(self.low, threshold)
        return replace(self, low=low, takes_gaps=self.takes_gaps and takes_gaps)

    def only(self, category: int) -> "Where":
        """Return the part with this category."""
        return replace(self, is_one=category, takes_gaps=False)

    def without(self, category: int) -> "Where":
        """Return the part with any other category, or none."""
        return replace(self, is_none=self.is_none | {category})


def told(column: Column, where: Where, language: Language) -> str:
    """Return the condition in words."""
    sentence = _category(column, where) if column.is_category else _number(column, where)
    words = sentence.words(language)
    has_gaps = column.is_optional and where.takes_gaps and not column.is_category
    if has_gaps and where.low < inf:
        return text("({condition} or missing)", condition=words).words(language)
    return words


def _number(column: Column, where: Where) -> Text:
    name = column.name
    if where.low == inf:
        return text("{column} is missing", column=name)
    if where.low == -inf and where.high == inf:
        return text("{column} is known", column=name)
    if where.low == -inf:
        return text("{column} ≤ {high}", column=name, high=where.high)
    if where.high == inf:
        return text("{column} > {low}", column=name, low=where.low)
    return text("{low} < {column} ≤ {high}", column=name, low=where.low, high=where.high)


def _category(column: Column, where: Where) -> Text:
    if where.is_one >= 0:
        return text("{column} is {names}", column=column.name, names=_names(column, [where.is_one]))
    names = _names(column, sorted(where.is_none))
    return text("{column} is not {names}", column=column.name, names=names)


def _names(column: Column, categories: Sequence[int]) -> str:
    return ", ".join(column.categories[i] for i in categories)
