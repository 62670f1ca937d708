"""The matrix in a terminal."""

from io import StringIO
from typing import TYPE_CHECKING

from rich.markup import escape

from fivefold.core.text import Language, text, translate
from fivefold.report.change import Change, Judgement
from fivefold.report.number import Scale
from fivefold.report.row import Cell, Row, Table, by_axis
from fivefold.report.words import label

if TYPE_CHECKING:
    from rich.table import Table as RichTable

MARKS: dict[Judgement, str] = {"better": "▲", "worse": "▼", "uncertain": "·", "same": "="}
STYLES: dict[Judgement, str] = {
    "better": "bold blue", "worse": "bold dark_orange3", "uncertain": "dim", "same": "dim",
}  # fmt: skip


def table(matrix: Table, language: Language = "en") -> "RichTable":
    """Return the matrix as a table that rich can print."""
    from rich import box
    from rich.table import Table as RichTable

    caption = text(
        "▲ better  ▼ worse than the stage it started from  · not certain  = same  – not measured"
    )
    shown = RichTable(
        title=escape(matrix.run),
        box=box.SIMPLE_HEAD,
        caption=caption.words(language),
        pad_edge=False,
    )
    shown.add_column("")
    for stage, parent in zip(matrix.stages, matrix.parents, strict=True):
        head = escape(stage) + (f"\n[dim]← {escape(parent)}[/dim]" if parent else "")
        shown.add_column(head, justify="right")
    for axis, rows in by_axis(matrix.rows).items():
        if rows:
            shown.add_row(f"[bold]{translate(axis.value, language).upper()}[/bold]")
            for row in rows:
                shown.add_row(*_cells(row, language))
    return shown


def plain(matrix: Table, language: Language = "en", width: int = 0) -> str:
    """Return the matrix as text without colours; `width` 0 makes it as wide as it needs to be."""
    from rich.console import Console

    out = StringIO()
    wanted = width or 36 + 18 * len(matrix.stages)
    Console(file=out, width=wanted, color_system=None, force_terminal=False).print(
        table(matrix, language)
    )
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _cells(row: Row, language: Language) -> list[str]:
    scale = row.scale
    unit = translate(scale.unit, language)
    name = escape(label(row, language)) + (f" [dim]{escape(unit)}[/dim]" if unit else "")
    return [f"  {name}", *(_cell(c, scale) for c in row.cells)]


def _cell(cell: Cell, scale: Scale) -> str:
    if cell.evidence is None:
        return "[dim]–[/dim]"
    found, value = cell.evidence, scale.show(cell.evidence.value) + _mark(cell.change)
    if found.low == found.high:
        return value
    return f"{value}\n[dim]{escape(scale.interval(found.low, found.high))}[/dim]"


def _mark(change: Change | None) -> str:
    if change is None:
        return "  "
    style = STYLES[change.judgement]
    return f" [{style}]{MARKS[change.judgement]}[/{style}]"
