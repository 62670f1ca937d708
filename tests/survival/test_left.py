"""What a killed process has left is removed by the next; what a living one is writing is not."""

import os
import subprocess
import sys

import pytest

from fivefold.core.atomic import is_abandoned, sweep
from fivefold.deploy.place import placed


@pytest.fixture
def dead() -> int:
    """Return the id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_only_what_names_a_dead_process_is_abandoned(dead, tmp_path):
    living = os.getppid()
    names = [f".a.{dead}.part", f".a.{living}.part", ".a.part", f"a.{dead}.part", f".{dead}.part"]
    for name in names:
        (tmp_path / name).write_text("x")
    assert [is_abandoned(tmp_path / n) for n in names] == [True, False, False, False, False]
    sweep(tmp_path.glob(".*.part"))
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(names[1:])


def test_the_next_bundle_sweeps_a_killed_one(dead, tmp_path):
    left = [f".b.{dead}.part", f".b.{dead}.old"]
    kept = [f".b.{os.getppid()}.part", f".c.{dead}.part"]
    for name in left + kept:
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.json").write_text("x")
    with pytest.raises(RuntimeError), placed(tmp_path / "b"):
        raise RuntimeError
    assert (tmp_path / left[1]).exists(), "it may be the only whole bundle"
    with placed(tmp_path / "b") as part:
        (part / "x").write_text("x")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["b", *kept])
