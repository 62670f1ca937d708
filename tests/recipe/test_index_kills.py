"""A process that writes the index or deletes runs is killed: the folders say the same, each run is whole or gone.

A child is a fork: a new process would import for seconds.
"""

import os
import shutil
import signal
import sqlite3
import time
import traceback
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import torch

from fivefold.recipe import recipe_from, run
from fivefold.recipe.index import indexed, leftovers, note, reindex, remove, sweep
from toyrecipe import table

KILLS = pytest.mark.parametrize("kills", [6, pytest.param(100, marks=pytest.mark.slow)])
RUNS = tuple(f"run{i}" for i in range(4))
LONG = 0.05  # seconds; about what it takes to give a sign


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """Return the folder of a finished run."""
    folder = tmp_path_factory.mktemp("kept")
    run(recipe_from(table(probes=[], comparisons=[])), folder)
    return folder / "toy"


@pytest.fixture
def work(kept, tmp_path) -> Path:
    """Return a folder with copies of a run."""
    for name in RUNS:
        shutil.copytree(kept, tmp_path / name)
    return tmp_path


def killed(work: Callable[[], None], signs: int, seconds: float) -> bytes:
    """Kill a child some seconds after it gave so many signs, one byte each; return all of them."""
    inlet, outlet = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(outlet, 1)
        try:
            os.write(1, b".")
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(outlet)
    said = b""
    try:
        assert os.read(inlet, 1) == b"."
        while len(said) < signs:
            sign = os.read(inlet, 1)
            assert sign, "the child ended early"
            said += sign
        time.sleep(seconds)
    finally:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)
    with os.fdopen(inlet, "rb") as told:
        return said + told.read()


def whole(found) -> set[str]:
    return {entry.name for entry in found if entry.state == "whole"}


def is_sound(work: Path) -> bool:
    """Return whether SQLite finds the file in order; none is in order too."""
    if not (work / "index.sqlite").exists():
        return True
    with closing(sqlite3.connect(work / "index.sqlite")) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@KILLS
def test_an_index_that_is_being_written(kills, work):
    def churn() -> None:
        while True:
            reindex(work)
            os.write(1, b"r")
            for name in RUNS:
                note(work / name)
                os.write(1, b"n")

    rng = torch.Generator().manual_seed(0)
    for i in range(kills):
        killed(churn, i % 4, LONG * float(torch.rand((), generator=rng)))
        assert is_sound(work)
        assert whole(indexed(work)) == set(RUNS)
        assert whole(reindex(work)) == set(RUNS)


def refill(kept: Path, work: Path) -> None:
    for name in RUNS:
        if not (work / name).exists():
            shutil.copytree(kept, work / name)


@KILLS
def test_runs_that_are_being_deleted(kills, work, kept):
    def clear() -> None:
        for name in RUNS:
            remove(work / name)
            os.write(1, name[-1:].encode())

    rng = torch.Generator().manual_seed(1)
    for i in range(kills):
        refill(kept, work)
        reindex(work)
        said = killed(clear, i % 4, LONG * float(torch.rand((), generator=rng)))
        there = {name for name in RUNS if (work / name).exists()}
        assert not there & {f"run{digit}" for digit in said.decode()}
        assert whole(indexed(work)) == whole(reindex(work)) == there
        sweep(leftovers(work))
        shown = {p.name for p in work.iterdir()}
        assert shown - there <= {"index.sqlite", ".index.lock"} | {f".{n}.lock" for n in there}
