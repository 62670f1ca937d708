"""A process that writes the audit log is killed, or its disk is full: what was acknowledged is there."""

import subprocess
import sys
from pathlib import Path

import pytest
from ledgering import sql

from fivefold.core.errors import LimitReached
from fivefold.deploy.ledger import Ledger, verify_ledger

CHILD = str(Path(__file__).with_name("ledger_child.py"))


@pytest.mark.parametrize("kills", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_kills(tmp_path, kills):
    path = tmp_path / "log.sqlite"
    words = [sys.executable, CHILD, str(path), str(kills), "0"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    told = [[int(n) for n in line.split()] for line in done.stdout.splitlines()]
    assert len(told) == kills
    assert sum(acknowledged > 0 for _, acknowledged in told) > kills / 4
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_full_disk_loses_nothing_acknowledged(tmp_path):
    path = tmp_path / "log.sqlite"
    words = f"ulimit -f 390; exec '{sys.executable}' '{CHILD}' '{path}'"
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    assert done.returncode == 1
    assert "LimitReached" in done.stderr
    n, head = done.stdout.splitlines()[-1].split()
    found = verify_ledger(path, head)
    assert found.rows - found.after_anchor == int(n)
    assert int(n) > 100


def test_a_place_that_cannot_be_written(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises((LimitReached, OSError)), Ledger(file / "log.sqlite"):
        pass
