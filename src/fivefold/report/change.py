"""What a step changed, by the method of variance estimates recovery (Zou and Donner, 2008; Newcombe, 1998)."""

from dataclasses import dataclass
from math import hypot, inf, isinf, isnan
from typing import Literal, TypeAlias

from fivefold.core.evidence import Evidence

Judgement: TypeAlias = Literal["better", "worse", "uncertain", "same"]
LEVELS = (
    0.05,
    0.2,
)  # of the natural range: below the first a change is slight, above the last strong


@dataclass(frozen=True, kw_only=True)
class Change:
    """How one number differs between a stage and the one it started from.

    Attributes:
        value: After minus before.
        low: Lower 95 % bound of the difference.
        high: Upper 95 % bound of the difference.
        better: Which way is better.
        strength: Size of the difference as a share of the number's natural range, at most 1.
    """

    value: float
    low: float
    high: float
    better: Literal["higher", "lower"]
    strength: float

    @property
    def judgement(self) -> Judgement:
        """Better or worse only if the interval leaves out 0; "same" if both numbers are exact and equal."""
        if self.low == self.high == 0:
            return "same"
        if self.low <= 0 <= self.high:
            return "uncertain"
        return "better" if (self.low > 0) == (self.better == "higher") else "worse"

    @property
    def level(self) -> int:
        """Strength in three grades, for colour."""
        return 1 + sum(self.strength >= level for level in LEVELS)


def change(before: Evidence, after: Evidence) -> Change | None:
    """Return the change between two pieces of evidence; None if they may not be subtracted.

    The distances from each value to its bounds are squared and added (MOVER, "square and add"). That
    treats the two as independent. Two stages are measured on the same examples, so their errors are
    mostly positively correlated and the interval is wider than it need be: conservative for paired data.
    """
    if (before.key, before.unit, before.better) != (after.key, after.unit, after.better):
        return None
    if not (before.is_comparable and after.is_comparable):
        return None
    value, low, high = _difference(before, after)
    strength = _strength(before, after, value)
    return Change(value=value, low=low, high=high, better=after.better, strength=strength)


def _difference(before: Evidence, after: Evidence) -> tuple[float, float, float]:
    if isinf(before.value) or isinf(after.value):
        return _beyond_numbers(before, after)
    value = after.value - before.value
    below = hypot(after.value - after.low, before.high - before.value)
    above = hypot(after.high - after.value, before.value - before.low)
    return value, value - below, value + above


def _beyond_numbers(before: Evidence, after: Evidence) -> tuple[float, float, float]:
    """Return the difference where a value is infinite: the widest that the bounds allow."""
    if before.value == after.value:
        is_exact = before.low == before.high and after.low == after.high
        return (0.0, 0.0, 0.0) if is_exact else (0.0, -inf, inf)
    low, high = after.low - before.high, after.high - before.low
    return after.value - before.value, -inf if isnan(low) else low, inf if isnan(high) else high


def _strength(before: Evidence, after: Evidence, value: float) -> float:
    if isinf(value):
        return 1.0
    if after.unit == "fraction":
        return min(1.0, abs(value))
    if after.floor is not None and after.ceiling is not None and after.floor != after.ceiling:
        return min(1.0, abs(value / (after.ceiling - after.floor)))
    largest = max(abs(before.value), abs(after.value))
    return abs(value) / largest if 0 < largest < inf else 0.0
