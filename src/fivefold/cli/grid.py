"""The matrix on a terminal: in one piece if it fits, else a few stages at a time."""

from dataclasses import replace
from typing import TYPE_CHECKING

from fivefold.cli.voice import Voice
from fivefold.report import Matrix
from fivefold.report.terminal import table

if TYPE_CHECKING:
    from rich.table import Table

WIDEST_LABEL = 44  # cells; longer labels are wrapped, numbers never


def show(matrix: Matrix, voice: Voice) -> None:
    """Print the matrix in the reader's language, in blocks of stages as wide as the terminal allows."""
    console = voice.console()
    for shown in blocks(matrix, voice, console.width):
        console.print(shown)


def of_stages(matrix: Matrix, names: tuple[str, ...]) -> Matrix:
    """Return the columns of `names` alone, without the rows that are empty there."""
    kept = [i for i, stage in enumerate(matrix.stages) if stage in names]
    rows = [replace(r, cells=tuple(r.cells[i] for i in kept)) for r in matrix.rows]
    return replace(
        matrix,
        stages=tuple(matrix.stages[i] for i in kept),
        parents=tuple(matrix.parents[i] for i in kept),
        rows=tuple(r for r in rows if r.measured),
    )


def blocks(matrix: Matrix, voice: Voice, width: int) -> list["Table"]:
    """Return the fewest tables that fit into `width`, with about equally many stages in each."""
    from rich.console import Console

    measure, n, shown = Console(width=10_000).measure, len(matrix.stages), list["Table"]()
    for n_blocks in range(1, n + 1):
        size = -(-n // n_blocks)
        shown = [_block(matrix, i, i + size, voice, width) for i in range(0, n, size)]
        if all(measure(block).maximum <= width for block in shown):
            break
    return shown


def _block(matrix: Matrix, first: int, last: int, voice: Voice, width: int) -> "Table":
    rows = tuple(replace(r, cells=r.cells[first:last]) for r in matrix.rows)
    part = replace(
        matrix, stages=matrix.stages[first:last], parents=matrix.parents[first:last], rows=rows
    )
    shown = table(part, voice.language)
    label, *numbers = shown.columns
    label.max_width = min(WIDEST_LABEL, max(24, width // 3))
    if first > 0:
        shown.title = None
    if last < len(matrix.stages):
        shown.caption = None
    for column in numbers:
        column.no_wrap = True
    return shown
