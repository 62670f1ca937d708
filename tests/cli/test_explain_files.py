"""Pictures and tables of one explanation, written by the command line."""

import csv
import inspect
from pathlib import Path

import pytest

from fivefold.cli.explain_one import PLOTS
from fivefold.cli.verbs.audit import explain
from fivefold.explanation.methods import NAMES
from fivefold.explanation.pictures import Plot

ASK = "def ask(x):\n    return [[0.0, 0.1 * a + 0.3 * b] for a, b in x.tolist()]\n"


@pytest.fixture
def rows(tmp_path, monkeypatch) -> Path:
    lines = [f"{20 + 3 * i},{i % 4},{'yes' if i % 3 else 'no'}" for i in range(24)]
    (tmp_path / "rows.csv").write_text("\n".join(["age,dose,ill", *lines]) + "\n", encoding="utf-8")
    (tmp_path / "their_own.py").write_text(ASK, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def explained(ask, *words: str):
    return ask("explain", "their_own:ask", "--input", "rows.csv", "--target", "ill", "--answers", "logits", *words)  # fmt: skip


def test_every_value_goes_into_the_table_with_its_error(rows, ask):
    said = explained(ask, "--method", "leverage", "--csv", "why.csv")
    assert said.code == 0, said.err
    assert "Table: why.csv" in said.err
    with (rows / "why.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["feature"] for line in lines} == {"age", "dose"}
    assert {line["value"] for line in lines} == {"20.0", "0.0"}
    assert all(line["error"] for line in lines)


@pytest.mark.parametrize(
    ("kind", "told"), [("waterfall", "基准值"), ("force", "得分"), ("decision", "模型求值")]
)
def test_the_picture_asked_for_is_written(rows, ask, kind, told):
    said = explained(ask, "--plot", kind, "--out", "why.svg", "--lang", "zh")
    assert said.code == 0, said.err
    assert told in (rows / "why.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--plot", "pie", "--out", "why.svg"), "There is no picture pie"),
        (("--plot", "force"), "--out FILE"),
        (("--plot", "text", "--out", "why.svg"), "no attribution of a text"),
    ],
)
def test_pictures_that_do_not_exist_are_refused(rows, ask, words, told):
    said = explained(ask, *words)
    assert said.code == 3
    assert told in said.err


def test_help_names_every_method_and_every_picture():
    asked = inspect.signature(explain).parameters
    methods, plots = (asked[name].annotation.__metadata__[0].help for name in ("method", "plot"))
    assert all(name in methods for name in NAMES)
    assert all(name in plots and callable(getattr(Plot, name)) for name in PLOTS)
