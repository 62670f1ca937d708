"""Viewers of the stream: slow ones, too many of them, those that leave, a server that stops."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from watching import event, monitor_of, rows

from fivefold.deploy.watch import Monitor, stream
from fivefold.deploy.watch.stream import MOST_VIEWERS, Stream

SCOPE = {"type": "http", "query_string": b"lang=zh"}


class Viewer:
    """Reads what it is sent, at its own pace."""

    def __init__(self, pause: float = 0.0) -> None:
        self.pause = pause
        self.status = 0
        self.told: list[bytes] = []
        self.is_over = False
        self.leaves = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        if self.told and self.pause:
            await asyncio.sleep(self.pause)
        self.told.append(message["body"])
        self.is_over = not message.get("more_body", False)

    @property
    def states(self) -> list[dict[str, Any]]:
        return [json.loads(t.removeprefix(b"data: ")) for t in self.told if t.startswith(b"data: ")]


def run(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 20))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "EVERY", 0.05)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def busy() -> Monitor:
    monitor = monitor_of()
    monitor(event(rows(3)))
    return monitor


def test_states_follow_one_another_and_hold_what_is_new():
    async def story() -> None:
        monitor, viewer = busy(), Viewer()
        task = asyncio.create_task(Stream(monitor)(SCOPE, viewer.receive, viewer.send))
        await until(lambda: len(viewer.states) >= 2)
        monitor(event(rows(3)))
        await until(lambda: viewer.states[-1]["requests"] == 2)
        viewer.leaves.set()
        await task
        assert viewer.status == 200
        assert viewer.states[0]["requests"] == 1
        assert viewer.states[0]["findings"][0]["axis"] == "泛化"

    run(story)


def test_one_that_does_not_read_is_let_go_and_holds_up_nobody(monkeypatch):
    monkeypatch.setattr(stream, "PATIENCE", 0.3)

    async def story() -> None:
        shown = Stream(busy())
        stuck, slow, quick = Viewer(60.0), Viewer(0.15), Viewer()
        tasks = [asyncio.create_task(shown(SCOPE, v.receive, v.send)) for v in (stuck, slow, quick)]
        await asyncio.wait_for(tasks[0], 5)
        await until(lambda: len(quick.states) >= 4 and len(slow.states) >= 2)
        assert stuck.states == []
        assert len(slow.states) <= len(quick.states)
        for viewer in (slow, quick):
            viewer.leaves.set()
        await asyncio.gather(*tasks)
        assert shown._viewers == 0

    run(story)


def test_requests_are_noted_while_a_viewer_is_stuck():
    async def story() -> None:
        monitor, stuck = busy(), Viewer(60.0)
        task = asyncio.create_task(Stream(monitor)(SCOPE, stuck.receive, stuck.send))
        await until(lambda: bool(stuck.told))
        for _ in range(1000):
            monitor(event(rows(1)))
        assert monitor.totals().n == 1001
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(story)


def test_too_many_viewers_are_turned_away_and_leave_room_again():
    async def story() -> None:
        shown = Stream(busy())
        viewers = [Viewer() for _ in range(MOST_VIEWERS)]
        tasks = [asyncio.create_task(shown(SCOPE, v.receive, v.send)) for v in viewers]
        await until(lambda: all(v.states for v in viewers))
        late = Viewer()
        await shown(SCOPE, late.receive, late.send)
        assert (late.status, late.is_over) == (503, True)
        viewers[0].leaves.set()
        await tasks[0]
        late = Viewer()
        tasks[0] = asyncio.create_task(shown(SCOPE, late.receive, late.send))
        await until(lambda: bool(late.states))
        for viewer in (*viewers, late):
            viewer.leaves.set()
        await asyncio.gather(*tasks)
        assert shown._viewers == 0

    run(story)


def test_a_state_is_made_once_for_all_viewers(monkeypatch):
    made = list[str]()

    def counted(monitor: Monitor, language: str) -> dict[str, Any]:
        made.append(language)
        return {"requests": 0}

    monkeypatch.setattr(stream, "state_of", counted)
    monkeypatch.setattr(stream, "EVERY", 0.3)

    async def story() -> None:
        shown = Stream(busy())
        viewers = [Viewer() for _ in range(20)]
        tasks = [asyncio.create_task(shown(SCOPE, v.receive, v.send)) for v in viewers]
        await until(lambda: all(v.states for v in viewers))
        assert made == ["zh"]
        for viewer in viewers:
            viewer.leaves.set()
        await asyncio.gather(*tasks)

    run(story)


def test_a_server_that_stops_ends_every_stream():
    async def story() -> None:
        monitor, viewer = busy(), Viewer()
        task = asyncio.create_task(Stream(monitor)(SCOPE, viewer.receive, viewer.send))
        await until(lambda: bool(viewer.states))
        monitor.close()
        await asyncio.wait_for(task, 2)
        assert viewer.is_over

    run(story)
