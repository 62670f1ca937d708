"""The matrix fits into the terminal: numbers are never wrapped or cut, stages go into blocks."""

import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from fivefold.cli.compare import side_by_side
from fivefold.cli.grid import blocks, of_stages
from fivefold.cli.voice import Voice
from fivefold.recipe import read_run
from fivefold.report import Matrix, matrix


@pytest.fixture(scope="module")
def wide(made: Path) -> Matrix:
    """Return the matrix of nine stages with long names."""
    run = read_run(made / "runs/toy")
    return matrix(side_by_side([run] * 9, ["plain"] * 9))


def printed(matrix: Matrix, width: int, language: str = "en") -> list[str]:
    """Return the text of each block on a terminal of that width."""
    console = Console(width=width, color_system=None)
    shown: list[str] = []
    for block in blocks(matrix, Voice(language=language), width):  # type: ignore[arg-type]
        with console.capture() as caught:
            console.print(block)
        shown.append(caught.get())
    return shown


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [60, 80, 100, 160, 400])
def test_all_numbers_are_there_whatever_the_width(wide, width, language):
    told = printed(wide, width, language)
    assert "…" not in "".join(told)
    assert max(cell_len(line) for block in told for line in block.splitlines()) <= width
    cells = [c for row in wide.rows for c in row.cells if c.evidence]
    intervals = re.findall(r"\[\d\.\d{3}, \d\.\d{3}\]", "".join(told))
    assert len(intervals) == len(cells)


def test_there_are_as_few_blocks_as_fit(wide):
    counts = [len(printed(wide, width)) for width in (60, 80, 100, 160, 400)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[2] > 1
    assert counts[-1] == 1


def test_title_and_legend_come_once(wide):
    told = "".join(printed(wide, 80))
    assert told.count("▲ better") == 1
    assert told.count(wide.run) == 1


def test_every_stage_comes_once(wide):
    told = "".join(printed(wide, 60)).replace("← toy/plain", "")
    heads = [line.split() for line in told.splitlines() if "toy/plain" in line]
    assert len(heads) > 1
    assert sorted(name for head in heads for name in head) == sorted(wide.stages)


def test_a_stage_is_shown_beside_its_parent_alone(made: Path):
    whole = matrix(read_run(made / "runs/toy"))
    part = of_stages(whole, ("start", "other"))
    assert part.stages == ("start", "other")
    assert all(len(row.cells) == 2 and row.measured for row in part.rows)
    assert part.row("learning.accuracy").cells[1] == whole.row("learning.accuracy").cells[-1]
