"""A model that is watched, requests to it, and a clock that stands still."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor
from toy_served import COLUMNS

from fivefold.core.data import Batch, Seen
from fivefold.core.evidence import Evidence, Finding, Missing
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.deploy.event import Event
from fivefold.deploy.watch import Monitor, Reference, Subject
from seeding import seeded

NOON = 1_800_000_000.0
SCHEMA = Schema(columns=COLUMNS, shape=(3,))
TASK = Task(classes=("no", "yes"))


class Clock:
    """Says what it was set to."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def subject(**changes: Any) -> Subject:
    told: dict[str, Any] = {"name": "toy", "task": TASK, "schema": SCHEMA, "run": "toy"}
    told |= {"stage": "plain", "digest": "d" * 64}
    return Subject(**(told | changes))


def monitor_of(
    clock: Clock | None = None, reference: Reference | None = None, **changes: Any
) -> Monitor:
    return Monitor(
        subject(**changes),
        reference=reference or Reference(),
        clock=clock or Clock(),
    )


def rows(n: int, rng: Generator | None = None) -> Tensor:
    """Return ordinary rows of the toy table: dose, kind and age, of which some are not known."""
    rng = rng or seeded()
    dose = torch.rand(n, generator=rng)
    kind = torch.randint(0, 3, (n,), generator=rng).float()
    age = torch.randint(20, 90, (n,), generator=rng).float()
    age[torch.rand(n, generator=rng) < 0.1] = torch.nan
    return torch.stack([dose, kind, age], 1)


def event(x: Tensor | None = None, **changes: Any) -> Event:
    """Return a request that was answered, with logits that say "yes" where the dose is high."""
    told: dict[str, Any] = {"time": NOON, "request": "1", "seconds": 0.01}
    if x is not None:
        outputs = torch.stack([torch.zeros(len(x)), 4 * x[:, 0] - 2], 1)
        told |= {"x": x, "rows": len(x), "outputs": outputs}
    told |= changes
    for name in ("outputs", "scores"):
        if isinstance(told.get(name), Tensor):
            told[name] = told[name].numpy()
    return Event(**told)


def seen_of(x: Tensor) -> Seen:
    """Return a training and a validation split of rows."""
    y = (x[:, 0] > 0.5).long()
    cut = len(x) * 4 // 5
    return Seen(Batch(x[:cut], y[:cut]), Batch(x[cut:], y[cut:]))


def found(findings: Sequence[Finding], key: str) -> Evidence:
    """Return the evidence of a key."""
    (one,) = [f for f in findings if f.key == key]
    assert isinstance(one, Evidence), one
    return one


def missing(findings: Sequence[Finding], key: str) -> Missing:
    """Return what is missing under a key."""
    (one,) = [f for f in findings if f.key == key]
    assert isinstance(one, Missing), one
    return one
