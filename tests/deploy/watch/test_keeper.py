"""`live.json`: fresh, whole after a kill at any moment, and never in the way of the answers."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from watching import NOON, Clock, event, monitor_of, rows

from fivefold.deploy.watch import LIVE, Keeper, read_live

WRITER = r"""
import os, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from watching import event, monitor_of, rows
from fivefold.deploy.watch.live import write_live

warm = monitor_of()
warm(event(rows(1)))
warm.live(0)  # everything is imported, once
for _ in sys.stdin:  # one child for each line
    child = os.fork()
    if child == 0:
        os.write(1, b"%d\n" % os.getpid())
        monitor = monitor_of()
        while True:
            monitor(event(rows(1)))
            write_live(Path(sys.argv[1]), monitor.live(0))
            os.write(1, b"written\n")
    os.waitpid(child, 0)
    print("gone", flush=True)
"""


@pytest.mark.parametrize("kills", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_after_a_kill_it_is_the_old_or_the_new_one(tmp_path, kills):
    deploy = Path(__file__).parents[1]
    parent = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path), str(deploy), str(deploy.parent)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert parent.stdin is not None
    assert parent.stdout is not None
    try:
        for i in range(kills):
            parent.stdin.write("\n")
            parent.stdin.flush()
            child = int(parent.stdout.readline())
            for _ in range(i % 4):
                assert parent.stdout.readline() == "written\n"
            time.sleep(0.0007 * (i % 23))
            os.kill(child, signal.SIGKILL)
            while parent.stdout.readline() != "gone\n":
                pass
            if (tmp_path / LIVE).exists():
                told = read_live((tmp_path / LIVE).read_bytes(), where=LIVE)
                assert told.requests >= i % 4
            else:
                assert i == 0
    finally:
        parent.stdin.close()
        parent.wait(10)
        parent.stdout.close()
    keeper = Keeper(monitor_of(), tmp_path).start()
    keeper.stop()
    assert {p.name for p in tmp_path.iterdir()} == {LIVE}


def until(condition: Callable[[], bool]) -> None:
    ending = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ending
        time.sleep(0.01)


def test_it_is_written_again_and_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr("fivefold.deploy.watch.keeper.GLANCE", 0.02)
    monitor = monitor_of(Clock())
    keeper = Keeper(monitor, tmp_path / "new", every=0.02).start()
    file = tmp_path / "new" / LIVE

    def told() -> int:
        return read_live(file.read_bytes(), where=LIVE).requests if file.exists() else -1

    until(lambda: told() == 0)
    monitor(event(rows(1)))
    until(lambda: told() == 1)
    monitor(event(rows(1)))
    keeper.stop()
    assert told() == 2
    assert read_live(file.read_bytes(), where=LIVE) == monitor.live()
    assert monitor.closed.is_set()
    assert read_live(file.read_bytes(), where=LIVE).when == "2027-01-15T08:00:00+00:00"
    assert monitor.live().written == NOON


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keeper = Keeper(monitor_of(), None).start()
    keeper.stop()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fails_stops_nothing(tmp_path, monkeypatch, caplog):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fivefold.deploy.watch.keeper.write_live", full)
    monitor = monitor_of()
    with caplog.at_level(logging.WARNING):
        keeper = Keeper(monitor, tmp_path).start()
        monitor(event(rows(1)))
        keeper.stop()
    assert "No space left" in caplog.text
    assert monitor.totals().n == 1


def test_one_request_that_cannot_be_looked_at_does_not_end_the_watching(tmp_path, caplog):
    monitor = monitor_of()
    real, failures = monitor.catch_up, iter([True, True])

    def catch_up() -> None:
        if next(failures, False):
            raise ArithmeticError("a row like no other")
        real()

    monitor.catch_up = catch_up
    with caplog.at_level(logging.ERROR):
        keeper = Keeper(monitor, tmp_path, 0.1).start()
        monitor(event(rows(2)))
        for _ in range(200):
            if (tmp_path / LIVE).is_file():
                break
            time.sleep(0.1)
        keeper.stop()
    assert "a row like no other" in caplog.text
    assert (tmp_path / LIVE).is_file()
