"""Serve the pages of a monitor that is fed with made-up requests; says its port on stdout.

There is one monitor below each of `KINDS`. SIGUSR1 ends the streams of "plain" and every new one for a
second or so, as a server does that is started again.
"""

import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

from watching import SCHEMA, TASK, event, rows, seen_of

from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.deploy.event import REFUSALS
from fivefold.deploy.watch import Monitor, Reference, Subject, routes
from fivefold.deploy.watch.bins import bins_of_categories, bins_of_column
from fivefold.deploy.watch.reference import Confidence
from seeding import seeded

KINDS = ("plain", "hostile", "long", "regression")
HOSTILE = "<img src=x onerror=alert(1)>\"']]></script><script>alert(2)</script>"
LONG = (
    "the_concentration_of_something_with_a_long_name_in_the_blood_of_the_patient_before_breakfast"
)


def subject_of(kind: str) -> Subject:
    names = {
        "hostile": [f"{i} {HOSTILE}" for i in range(3)],
        "long": [f"{LONG}_{i}" for i in range(3)],
    }.get(kind, [c.name for c in SCHEMA.columns])
    categories = (HOSTILE, "plain", "strong") if kind == "hostile" else ("mild", "plain", "strong")
    columns = (
        Column(name=names[0], low=0.0, high=1.0),
        Column(name=names[1], kind="category", categories=categories),
        Column(name=names[2], kind="integer", low=0, high=120, is_optional=True),
    )
    task = Task(kind="regression") if kind == "regression" else TASK
    if kind == "hostile":
        task = Task(classes=(HOSTILE, "yes"))
    return Subject(
        name=HOSTILE if kind == "hostile" else "toy", task=task,
        schema=Schema(columns=columns, shape=(3,)), threshold=3.0, nominal=0.05,
    )  # fmt: skip


def reference_of(subject: Subject) -> Reference:
    x = seen_of(rows(2000, seeded(5))).train.x
    assert isinstance(x, torch.Tensor)
    inputs = [bins_of_column(c, x[:, i].double()) for i, c in enumerate(subject.schema.columns)]
    if not subject.task.is_classification:
        return Reference(inputs=tuple(inputs), n=len(x))
    answers = bins_of_categories("answers", subject.task.classes, (x[:, 0] > 0.5).double())
    sure = Confidence(mean=0.7, deviation=0.1, n=400)
    return Reference(inputs=tuple(inputs), answers=answers, confidence=sure, n=len(x))


def feed(monitor: Monitor) -> None:
    """Ask for ever: ordinary rows whose dose has drifted, alarms, labels, refusals by every guard."""
    rng, i = seeded(9), 0
    is_class = monitor.subject.task.is_classification
    while True:
        x = rows(4, rng)
        x[:, 0] = x[:, 0].sqrt()
        told: dict[str, Any] = {
            "time": time.time(),
            "request": str(i),
            "seconds": 0.004 + 0.0001 * (i % 50),
        }
        outputs = None if is_class else x[:, :1].clone()
        changes = {} if outputs is None else {"outputs": outputs}
        monitor(event(x, scores=torch.rand(4, generator=rng) * 3.1, **told, **changes))
        if i % 5 == 0:
            refusal = REFUSALS[i // 5 % len(REFUSALS)]
            monitor(event(refusal=refusal, status=403, **told))
        monitor.label(str(i), [1.0] * 4 if is_class else [0.5] * 4)
        i += 1
        time.sleep(0.0 if i < 300 else 0.05)


def watched(kind: str) -> Monitor:
    subject = subject_of(kind)
    monitor = Monitor(subject, reference=reference_of(subject))
    threading.Thread(target=feed, args=(monitor,), daemon=True).start()
    return monitor


def main() -> None:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.routing import Mount

    monitors = {kind: watched(kind) for kind in KINDS}

    def interrupted(*_: object) -> None:
        closed = monitors["plain"].closed
        closed.set()
        threading.Timer(1.3, closed.clear).start()

    signal.signal(signal.SIGUSR1, interrupted)
    door = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{door.getsockname()[1]}\n")
    sys.stdout.flush()
    mounts = [Mount(f"/{kind}", routes=routes(m)) for kind, m in monitors.items()]
    settings = uvicorn.Config(Starlette(routes=mounts), log_level="warning", lifespan="off")
    uvicorn.Server(settings).run([door])


if __name__ == "__main__":
    main()
