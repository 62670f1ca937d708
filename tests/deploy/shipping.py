"""A run on disk and its bundle, and what a server has found about its model."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from watching import Clock, event, monitor_of, rows

from fivefold.core.evidence import Axis, Evidence
from fivefold.deploy.watch import Live
from fivefold.recipe import Run

POLICY = {
    "limits": [
        {"evidence": "learning.accuracy", "at_least": 0.7, "stage": "plain"},
        {"evidence": "security.refusal_rate[queue]", "at_most": 0.1},
    ]
}


class Shipped(NamedTuple):
    """A run folder, its bundle, and the hash that the server knows the bundle by."""

    run: Path
    bundle: Path
    digest: str


def accuracy(value: float) -> Evidence:
    return Evidence(
        axis=Axis.LEARNING, name="accuracy", value=value, low=value - 0.03, high=value + 0.03,
        n=500, unit="fraction", better="higher",
    )  # fmt: skip


def with_accuracy(run: Run) -> Run:
    stages = [
        replace(s, findings=(*s.findings, accuracy(v)))
        for s, v in zip(run.stages, (0.5, 0.9), strict=True)
    ]
    return replace(run, stages=tuple(stages), recipe={**run.recipe, "policy": POLICY})


def live_of_requests(digest: str, *, n: int = 200, right: float = 0.9, queue: int = 0) -> Live:
    """Return what a monitor finds after `n` requests, a share of them labelled as the answer was."""
    clock = Clock()
    monitor = monitor_of(clock, digest=digest)
    for i in range(n):
        monitor(event(rows(1), request=str(i), seconds=0.01 + i * 1e-5))
    for _ in range(queue):
        monitor(event(refusal="queue", status=503))
    monitor.catch_up()
    (answer,) = monitor.view().examples[:, 1].unique().tolist()
    for i in range(n):
        monitor.label(str(i), [answer if i < right * n else 1 - answer])
    clock.now += 1
    return monitor.live()
