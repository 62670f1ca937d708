"""Everything that README and docs show is carried out, and what they show as output is what comes out.

In each page: `python` blocks run in order and share names; a `text` block after one is its output. A
block with a title is written to a file of that name. `fivefold` commands of `console` blocks are run;
lines below one must be among its output, and `$ echo $?` tells its exit code.
"""

import shlex
import sys
import tomllib
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from fivefold.cli.main import answer
from fivefold.recipe import recipe_from
from fivefold.report import policy_from
from snippets.likeness import is_like
from snippets.page import PAGES, Block, Command, blocks, commands, name_of

LONG = ("docs/quickstart.md",)  # it measures all five axes at every stage
SHOWN = [
    pytest.param(p, marks=[pytest.mark.slow] if name_of(p) in LONG else [], id=name_of(p))
    for p in PAGES
    if blocks(p)
]


@pytest.mark.parametrize("page", SHOWN)
def test_what_is_shown_is_true(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("FIVEFOLD_LANG", raising=False)
    names: dict[str, object] = {"__name__": "shown"}
    before, printed = set(sys.modules), ""
    for block in blocks(page):
        where = f"{name_of(page)}:{block.line}"
        if block.name:
            (tmp_path / block.name).write_text(block.body, encoding="utf-8")
        elif block.language == "python":
            printed = run_python(block, names, where)
        elif block.language == "text":
            check_output(block.body.splitlines(), printed, where)
        elif block.language == "console":
            for command in commands(block):
                run_command(command, where)
        if block.language == "toml":
            check_toml(block, tmp_path)
    for name in {n for n in set(sys.modules) - before if (tmp_path / f"{n}.py").exists()}:
        del sys.modules[name]


def run_python(block: Block, names: dict[str, object], where: str) -> str:
    """Run a block and return what it printed."""
    out = StringIO()
    with redirect_stdout(out):
        exec(compile("\n" * block.line + block.body, where, "exec"), names)
    return out.getvalue()


def check_output(shown: list[str], real: str, where: str) -> None:
    """Compare line by line; empty lines do not count."""
    wanted, found = ([line for line in x if line.strip()] for x in (shown, real.splitlines()))
    assert len(wanted) == len(found), f"{where} is not what was printed:\n{real}"
    for a, b in zip(wanted, found, strict=True):
        assert is_like(a, b), f"{where} shows\n{a}\nand what was printed is\n{b}"


def run_command(command: Command, where: str) -> None:
    """Run a command of ours; others (make, pip, python) are not ours to test here."""
    if command.program != "fivefold":
        return
    out = StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        code = answer(shlex.split(command.arguments, comments=True))
    assert code == command.code, f"{where}: fivefold {command.arguments}\n{out.getvalue()}"
    real = out.getvalue().splitlines()
    for line in command.shown:
        if line.strip() not in ("", "..."):
            assert any(is_like(line, r) for r in real), f"{where} shows\n{line}\nnot in\n{out.getvalue()}"  # fmt: skip


def check_toml(block: Block, folder: Path) -> None:
    """Read a block that is a whole recipe or a whole policy as one."""
    table = tomllib.loads(block.body)
    if {"data", "model"} <= table.keys():
        recipe_from(table, folder=folder)
    if "limits" in table:
        policy_from(table)
