"""Notebooks are small, hold what was really shown, and show it again when they are carried out."""

import importlib.util
import json
import re
from types import ModuleType

import pytest

from snippets.likeness import is_like
from snippets.page import HOME, name_of

NOTEBOOKS = sorted((HOME / "docs").glob("**/*.ipynb"))
MOST_BYTES = 300_000
ALIKE = (
    0.8  # of the lines: on another processor training may turn a row over, and with it a sentence
)


def runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notebook", HOME / "tools/notebook.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def said(cell):
    return [line for shown in cell["outputs"] for line in shown.get("text", []) if line.strip()]


def kinds(cell):
    return [(shown["output_type"], *sorted(shown.get("data", {}))) for shown in cell["outputs"]]


def test_there_is_a_notebook():
    assert NOTEBOOKS


@pytest.mark.parametrize("file", NOTEBOOKS, ids=name_of)
def test_it_is_small_and_carried_out_in_order(file):
    assert file.stat().st_size < MOST_BYTES
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"/(home|work|tmp|Users)/", text)
    cells = code_cells(json.loads(text))
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert all(cell["outputs"] for cell in cells)


@pytest.mark.slow
@pytest.mark.parametrize("file", NOTEBOOKS, ids=name_of)
def test_it_shows_the_same_again(file, tmp_path, monkeypatch):
    monkeypatch.chdir(file.parent)
    notebook = json.loads(file.read_text(encoding="utf-8"))
    again = runner().carried_out(notebook)
    before, after = code_cells(notebook), code_cells(again)
    assert [kinds(cell) for cell in after] == [kinds(cell) for cell in before]
    lines = [(a, b) for x, y in zip(before, after, strict=True) for a, b in zip(said(x), said(y), strict=True)]  # fmt: skip
    unlike = [pair for pair in lines if not is_like(*pair)]
    assert len(unlike) <= (1 - ALIKE) * len(lines), unlike


def test_what_a_cell_shows():
    """Printed lines, the last value unless a semicolon ends it, and open figures, in that order."""
    outputs, names = runner().outputs, {}
    assert outputs("a = 2\nprint(a)\na + 1", names, 1) == [
        {"output_type": "stream", "name": "stdout", "text": ["2\n"]},
        {"output_type": "execute_result", "execution_count": 1, "data": {"text/plain": ["3"]}, "metadata": {}},
    ]  # fmt: skip
    assert outputs("a;", names, 2) == []
    drawn = outputs("import matplotlib.pyplot as plt\nfig, ax = plt.subplots()", names, 3)
    assert [list(shown["data"]) for shown in drawn] == [["image/png", "text/plain"]]
    assert outputs("a;", names, 4) == []
