"""What happened is recorded off the event loop, and nothing is answered that could not be."""

import asyncio
import time
from typing import Any

import pytest
import torch
from toy_served import toy_model

from fivefold.core.errors import NotMeasurable
from fivefold.core.text import Text
from fivefold.deploy.event import Event
from fivefold.deploy.server import post as posting
from fivefold.deploy.server.background import Background
from fivefold.deploy.server.call import Call
from fivefold.deploy.server.limits import Room
from fivefold.deploy.server.post import Post
from fivefold.deploy.server.refused import Refused
from fivefold.deploy.server.why import Why


def call_of(number: int) -> Call:
    call = Call({}, {}, "infer", time.perf_counter())
    call.request, call.x, call.rows = str(number), torch.zeros(2, 3), 2
    return call


def test_every_call_is_told_in_order_although_a_sink_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[Event] = []

    def fails(*_: Event) -> None:
        raise ArithmeticError

    async def main() -> None:
        post = Post([fails, lambda *events: seen.extend(events)])
        post.start()
        for i in range(50):
            post.put(call_of(i), 200, "")
        assert seen == []
        await asyncio.sleep(2 * posting.EVERY)
        post.put(call_of(50), 429, "rate")
        post.stop()

    asyncio.run(main())
    assert [e.request for e in seen] == [str(i) for i in range(51)]
    assert (seen[-1].status, seen[-1].refusal, seen[-1].rows) == (429, "rate", 2)
    assert "a sink failed" in caplog.text


def test_what_cannot_be_recorded_is_not_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "MOST", 3)

    async def main() -> list[bool]:
        post = Post([lambda *_: None])
        post.start()
        full = []
        for i in range(3):
            full.append(post.is_full())
            post.put(call_of(i), 200, "")
        full.append(post.is_full())
        post.stop()
        return [*full, post.is_full()]

    assert asyncio.run(main()) == [False, False, False, True, False]


@pytest.mark.parametrize(("wait", "is_full", "status"), [(0.0, False, 0), (9.0, False, 503), (0.0, True, 503)])  # fmt: skip
def test_the_head_is_enough_to_refuse(wait: float, is_full: bool, status: int) -> None:
    room = Room(lambda: wait, 0.25, lambda: is_full)
    try:
        room(call_of(0))
    except Refused as refused:
        assert (refused.status, refused.refusal) == (status, "queue")
    else:
        assert status == 0


def test_an_explanation_that_takes_too_long_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread ends its work at the next batch, and is free for the next request."""
    rounds: list[int] = []

    def endless(model: Any, x: Any, background: Any, *, rng: Any) -> Any:
        if x[0, 0] == 0:
            raise NotMeasurable("No.")
        for i in range(1000):
            time.sleep(0.01)
            rounds.append(i)
            model.predict(x)

    monkeypatch.setattr("fivefold.deploy.server.why.explain", endless)
    found: list[Any] = []

    async def main() -> None:
        why = Why(toy_model(), Background(torch.zeros(1, 3), Text("a black picture")), seconds=0.1)
        slow, next_one = call_of(1), call_of(2)
        slow.x = torch.ones(1, 3)
        why(slow, found.append)
        await asyncio.sleep(0.2)
        assert [e.status for e in found] == [504]
        next_one.started += 60  # time enough, however busy this machine is
        why(next_one, found.append)
        for _ in range(100):
            await asyncio.sleep(0.02)
            if len(found) == 2 and why.waiting == 0:
                break
        why.stop()

    asyncio.run(main())
    assert found[1].status == 422
    assert len(rounds) < 100
