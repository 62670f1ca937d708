"""The way to an explanation: past the same detector as an answer, and within its time."""

import asyncio
import time
from concurrent.futures import Future
from typing import Any

import pytest
import torch
from toy_served import toy_model

from fivefold.core.text import Text
from fivefold.deploy.server import Served, Settings, app_of
from fivefold.deploy.server.background import Background
from fivefold.deploy.server.call import Call
from fivefold.deploy.server.refused import Refused
from fivefold.deploy.server.settings import Detecting
from fivefold.deploy.server.why import Late, Why
from fivefold.security.detector import FittedMahalanobis


def asked() -> Call:
    call = Call({}, {}, "explain", time.perf_counter())
    call.x, call.rows = torch.tensor([[0.5, 1.0, 40.0]]), 1
    return call


def explained(mode: Detecting, threshold: float) -> tuple[Call, Exception | None]:
    """Ask for one explanation behind a detector, and return what became of it."""
    fitted = FittedMahalanobis(torch.zeros(2, 8).double(), torch.eye(8).double(), threshold)
    settings = Settings(detector=mode, explain_seconds=60.0)
    app, _ = app_of(Served(model=toy_model(), settings=settings, detector=fitted))
    call, ends = asked(), list[Exception | None]()

    async def main() -> None:
        app.start()
        over = asyncio.Event()

        def done(error: Exception | None) -> None:
            ends.append(error)
            over.set()

        app.desk.ways["explain"].core(call, done)
        await over.wait()
        app.stop()

    asyncio.run(main())
    (end,) = ends
    return call, end


def test_what_the_detector_refuses_is_not_explained_either() -> None:
    call, end = explained("refuse", -1.0)
    assert isinstance(end, Refused)
    assert (end.status, end.refusal) == (403, "detector")
    assert call.told is None


@pytest.mark.parametrize(("mode", "threshold"), [("refuse", 1e9), ("flag", -1.0), ("off", -1.0)])
def test_what_it_lets_pass_is(mode: Detecting, threshold: float) -> None:
    call, end = explained(mode, threshold)
    assert end is None
    assert call.told is not None


def test_late_is_late_whoever_sees_it_first() -> None:
    """The thread looks at the clock too, and may be a moment ahead of the event loop."""
    job: Future[Any] = Future()
    job.set_exception(Late())
    why = Why(toy_model(), Background(torch.zeros(1, 3), Text("none")), seconds=1.0)
    call, ends = asked(), list[Any]()
    why._end(call, ends.append, job)
    why.stop()
    assert [(e.status, e.refusal) for e in ends] == [(504, "time")]
    assert call.is_gone
