"""However many requests come, the monitor holds so much and no more."""

import gc
import os
from pathlib import Path

import pytest
import torch
from watching import NOON, Clock, event, monitor_of, rows

from fivefold.deploy.event import Event
from fivefold.deploy.watch import Monitor
from fivefold.deploy.watch.feedback import MOST_LABELS, MOST_REQUESTS
from fivefold.deploy.watch.monitor import MOST_EVENTS, MOST_NUMBERS

MEGABYTE = 2**20


def ask(monitor: Monitor, clock: Clock, start: int, n: int) -> None:
    """Send `n` requests, ten a second, each with an id of its own, now and then a label or a look."""
    x = rows(2)
    like = event(x)
    outputs = like.outputs
    for i in range(start, start + n):
        clock.now = NOON + i / 10
        monitor(
            Event(time=clock.now, request=str(i), client=f"c{i % 7}", seconds=0.01, rows=2, x=x, outputs=outputs)
        )  # fmt: skip
        if i % 5000 == 0:
            monitor.label(str(i), [0.0, 1.0], f"c{i % 7}")
            monitor.moments()
            monitor.live(0)


def resident() -> int:
    """Bytes of this process that are in memory now."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("n", [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_memory_is_bounded(n):
    clock = Clock()
    monitor = monitor_of(clock)
    ask(monitor, clock, 0, n // 4)
    monitor.catch_up()
    before = resident()
    ask(monitor, clock, n // 4, n - n // 4)
    monitor.catch_up()
    assert resident() - before < 25 * MEGABYTE
    view = monitor.view()
    assert view.totals.n == n
    assert view.n_waiting <= MOST_REQUESTS
    assert len(monitor._series._moments) <= 95


def test_when_nobody_looks_requests_are_only_counted():
    monitor = monitor_of()
    for i in range(MOST_EVENTS + 500):
        monitor(event(request=str(i)))
    assert len(monitor._pending) == MOST_EVENTS
    assert monitor.totals().n == MOST_EVENTS + 500
    assert monitor.totals().lost == 500
    assert monitor.live(0).lost == 500


def test_large_inputs_wait_in_bounded_memory():
    monitor = monitor_of()
    x = torch.zeros(1_000_000, 3)
    for _ in range(8):
        monitor(event(x, outputs=None))
    assert monitor._weight <= MOST_NUMBERS
    assert monitor.totals().lost == 6


def test_labels_are_bounded():
    monitor = monitor_of()
    for at in range(0, 6000, 60):
        monitor(event(rows(60), request=str(at)))
        assert monitor.label(str(at), [0.0] * 60)
    assert len(monitor.view().pairs) == MOST_LABELS
