"""One number at every stage of a run, and the table that such rows make."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from fivefold.core.evidence import Axis, Evidence, Missing
from fivefold.report.change import Change
from fivefold.report.number import Scale, scale_for


class Cell(NamedTuple):
    """One number at one stage: evidence, or the reason why there is none, or neither if nobody asked."""

    stage: str
    evidence: Evidence | None = None
    missing: Missing | None = None
    change: Change | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One number at every stage.

    Attributes:
        key: Key of the evidence, the same at every stage.
        axis: The promise it speaks of.
        name: What was measured.
        setting: What is the same at every stage.
        cells: One per stage, in the order of the run.
        is_comparison: Whether it compares a stage with its parent, so that it has no change of its own.
    """

    key: str
    axis: Axis
    name: str
    setting: str
    cells: tuple[Cell, ...]
    is_comparison: bool = False

    @property
    def measured(self) -> tuple[Evidence, ...]:
        """The evidence of all stages that have it."""
        return tuple(c.evidence for c in self.cells if c.evidence)

    @property
    def scale(self) -> Scale:
        """The unit in which the whole row is shown."""
        found = self.measured
        return scale_for(found[0].unit if found else "", (e.value for e in found))


class Table(Protocol):
    """What is needed of a matrix to show it."""

    @property
    def run(self) -> str:
        """Name of the run."""
        ...

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages."""
        ...

    @property
    def parents(self) -> tuple[str, ...]:
        """Name of the stage that each started from; "" for the start."""
        ...

    @property
    def rows(self) -> tuple[Row, ...]:
        """One per number."""
        ...


def by_axis(rows: tuple[Row, ...]) -> dict[Axis, tuple[Row, ...]]:
    """Return the rows of every axis, also of those that have none."""
    return {axis: tuple(r for r in rows if r.axis == axis) for axis in Axis}
