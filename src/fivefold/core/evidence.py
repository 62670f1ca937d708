"""What a probe found, with its uncertainty."""

from dataclasses import dataclass
from enum import StrEnum
from html import escape
from math import isnan
from typing import Literal, TypeAlias

from fivefold.core.chart import Chart
from fivefold.core.text import Text


class Axis(StrEnum):
    """The five promises, and the task itself. Each value is also a package and a report column."""

    LEARNING = "learning"
    EXPLANATION = "explanation"
    PRIVACY = "privacy"
    GENERALIZATION = "generalization"
    EFFICIENCY = "efficiency"
    SECURITY = "security"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One measured number, bounded at 95 % confidence.

    Attributes:
        axis: The promise it speaks of.
        name: What was measured, in snake case.
        value: The point estimate; may be infinite (an epsilon that does not exist).
        low: Lower 95 % bound.
        high: Upper 95 % bound.
        n: How many independent observations stand behind it.
        unit: fraction, seconds, bytes, joules, ...
        better: Which way is better.
        floor: What chance or a trivial method reaches, if that is known.
        ceiling: The best possible value, if there is one.
        setting: What must be the same to compare two of these ("linf eps 0.1").
        interval: How the bounds were made ("Wilson", "bootstrap", "exact").
        note: What the reader must know to trust the number.
        chart: The picture that belongs to it.
        is_comparable: Whether two of these may be subtracted. Times taken minutes apart on a shared
            machine may not: a `Comparison` measures both models at once.
    """

    axis: Axis
    name: str
    value: float
    low: float
    high: float
    n: int
    unit: str
    better: Literal["higher", "lower"]
    floor: float | None = None
    ceiling: float | None = None
    setting: str = ""
    interval: str = ""
    note: Text = Text("")
    chart: Chart | None = None
    is_comparable: bool = True

    def __post_init__(self) -> None:
        if isnan(self.value) or not self.low <= self.value <= self.high:
            raise ValueError(f"{self.name}: {self.value} is outside [{self.low}, {self.high}].")
        if self.n < 1:
            raise ValueError(f"{self.name}: evidence from no observations is no evidence.")

    @property
    def key(self) -> str:
        """Name that is unique within a stage: `axis.name` or `axis.name[setting]`."""
        return f"{self.axis}.{self.name}" + (f"[{self.setting}]" if self.setting else "")

    @property
    def worst(self) -> float:
        """The bound a careful reader goes by."""
        return self.low if self.better == "higher" else self.high

    def _repr_html_(self) -> str:
        bounds = f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"
        told = f"{self.unit}, n = {self.n}, {self.interval}. {self.note}"
        return f"<b>{escape(self.key)}</b> {bounds} <small>{escape(told)}</small>"


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A number that could not be measured, and why.

    Attributes:
        axis: The promise it would have spoken of.
        name: What was to be measured.
        reason: Why it was not.
        setting: As in `Evidence`.
    """

    axis: Axis
    name: str
    reason: Text
    setting: str = ""

    @property
    def key(self) -> str:
        """Name that is unique within a stage."""
        return f"{self.axis}.{self.name}" + (f"[{self.setting}]" if self.setting else "")


Finding: TypeAlias = Evidence | Missing
