"""The trade-off matrix: stages by evidence, each cell with its bounds and its change against the parent."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fivefold.core.evidence import Axis, Evidence, Finding, Missing
from fivefold.recipe import Run, Stage
from fivefold.report.change import change
from fivefold.report.number import finite
from fivefold.report.row import Cell, Row

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Everything a run measured, side by side.

    Attributes:
        run: Name of the run.
        stages: Names of the stages.
        parents: Name of the stage that each started from; "" for the start.
        rows: One per number, by axis.
    """

    run: str
    stages: tuple[str, ...]
    parents: tuple[str, ...]
    rows: tuple[Row, ...]

    def row(self, key: str) -> Row:
        """Return the row of `key`.

        Raises:
            KeyError: Nothing of that key was measured.
        """
        return {r.key: r for r in self.rows}[key]

    def cell(self, key: str, stage: str) -> Cell:
        """Return what is known of `key` at `stage`.

        Raises:
            KeyError: There is no such row or stage.
        """
        return {c.stage: c for c in self.row(key).cells}[stage]

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one JSON-ready table row per cell; infinite numbers become "inf" and "-inf"."""
        parents = dict(zip(self.stages, self.parents, strict=True))
        return [_told(row, cell, parents[cell.stage]) for row in self.rows for cell in row.cells]

    def __rich__(self) -> "Table":
        from fivefold.report.terminal import table

        return table(self)

    def __str__(self) -> str:
        from fivefold.report.terminal import plain

        return plain(self)

    def _repr_html_(self) -> str:
        from fivefold.report.fragment import matrix_html

        return matrix_html(self)


def matrix(run: Run) -> Matrix:
    """Return the matrix of a run, finished or still growing."""
    rows = [_row(run, key, is_comparison=False) for key in _keys(s.findings for s in run.stages)]
    rows += [_row(run, key, is_comparison=True) for key in _keys(s.changes for s in run.stages)]
    order = list(Axis)
    return Matrix(
        run=run.name,
        stages=tuple(s.name for s in run.stages),
        parents=tuple(s.parent for s in run.stages),
        rows=tuple(sorted(rows, key=lambda r: order.index(r.axis))),
    )


def _keys(found: Iterable[tuple[Finding, ...]]) -> list[str]:
    """Return the keys in order of appearance; a reason that speaks for existing rows gets none of its own."""
    findings = [f for stage in found for f in stage]
    named = {(f.axis, f.name) for f in findings if isinstance(f, Evidence) or f.setting}
    own = [
        f.key
        for f in findings
        if isinstance(f, Evidence) or (f.axis, f.name) not in named or f.setting
    ]
    return list(dict.fromkeys(own))


def _row(run: Run, key: str, *, is_comparison: bool) -> Row:
    named = next(
        f for s in run.stages for f in (s.findings, s.changes)[is_comparison] if f.key == key
    )
    axis, name, setting = named.axis, named.name, named.setting
    cells = tuple(_cell(run, s, named, is_comparison=is_comparison) for s in run.stages)
    return Row(
        key=key, axis=axis, name=name, setting=setting, cells=cells, is_comparison=is_comparison
    )


def _cell(run: Run, stage: Stage, named: Finding, *, is_comparison: bool) -> Cell:
    found = stage.changes if is_comparison else stage.findings
    finding = _named(found, named)
    if not isinstance(finding, Evidence):
        return Cell(stage.name, missing=finding)
    parent = None if is_comparison else run.parent_of(stage)
    before = _named(parent.findings, named) if parent else None
    changed = change(before, finding) if isinstance(before, Evidence) else None
    return Cell(stage.name, finding, change=changed)


def _named(found: tuple[Finding, ...], named: Finding) -> Finding | None:
    """Return the finding of that key, else the reason given for all settings of that name."""
    exact = next((f for f in found if f.key == named.key), None)
    general = (
        f for f in found
        if isinstance(f, Missing) and (f.axis, f.name, f.setting) == (named.axis, named.name, "")
    )  # fmt: skip
    return exact or next(general, None)


def _told(row: Row, cell: Cell, parent: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "key": row.key, "axis": str(row.axis), "name": row.name, "setting": row.setting,
        "stage": cell.stage, "parent": parent, "is_comparison": row.is_comparison,
    }  # fmt: skip
    if e := cell.evidence:
        told |= {"value": finite(e.value), "low": finite(e.low), "high": finite(e.high), "n": e.n}
        told |= {"unit": e.unit, "better": e.better}
    if c := cell.change:
        told |= {
            "change": finite(c.value),
            "change_low": finite(c.low),
            "change_high": finite(c.high),
        }
        told |= {"judgement": c.judgement}
    if cell.missing:
        told |= {"missing": str(cell.missing.reason)}
    return told
