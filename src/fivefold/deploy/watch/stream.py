"""Server-sent events: each viewer gets the newest state, never a queue of old ones.

Nothing is kept for a viewer. One that reads slowly misses states; one that does not read at all is let go.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from time import monotonic
from typing import Any, TypeAlias
from urllib.parse import parse_qs

from fivefold.core.text import Language
from fivefold.deploy.watch.monitor import Monitor
from fivefold.deploy.watch.state import state_of

MOST_VIEWERS = 64
EVERY = 1.0  # seconds between two states
PATIENCE = 10.0  # seconds that a viewer may take to read one
LONGEST = 3600.0  # seconds; the browser opens a new stream by itself
Message: TypeAlias = MutableMapping[str, Any]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Receive: TypeAlias = Callable[[], Awaitable[Message]]


class Stream:
    """The ASGI application behind `/live/stream`."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._viewers = 0
        self._told: dict[Language, tuple[float, bytes]] = {}
        self._telling = asyncio.Lock()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Send states until the viewer leaves, stops reading, or the server stops."""
        if self._viewers >= MOST_VIEWERS:
            await _refuse(send)
            return
        self._viewers += 1
        try:
            await self._serve(_language(scope), receive, send)
        finally:
            self._viewers -= 1

    async def _serve(self, language: Language, receive: Receive, send: Send) -> None:
        leaving = asyncio.create_task(_left(receive))
        ending = monotonic() + LONGEST
        try:
            await _open(send)
            while not (leaving.done() or self._monitor.closed.is_set() or monotonic() > ending):
                body = await self._newest(language)
                await asyncio.wait_for(_part(send, body), PATIENCE)
                await asyncio.wait({leaving}, timeout=EVERY)
            if not leaving.done():
                await asyncio.wait_for(_part(send, b"", more=False), PATIENCE)
        except (TimeoutError, OSError):
            return  # it does not read, or is gone
        finally:
            leaving.cancel()
            with suppress(asyncio.CancelledError):
                await leaving

    async def _newest(self, language: Language) -> bytes:
        """Return the newest state as an event; however many viewers, it is made once in a step."""
        async with self._telling:
            made, told = self._told.get(language, (0.0, b""))
            if monotonic() - made >= EVERY * 0.9:
                state = await asyncio.to_thread(state_of, self._monitor, language)
                told = (
                    f"data: {json.dumps(state, ensure_ascii=False, allow_nan=False)}\n\n".encode()
                )
                self._told[language] = (monotonic(), told)
            return told


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _open(send: Send) -> None:
    headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-accel-buffering", b"no"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await _part(send, b"retry: 2000\n\n")


async def _part(send: Send, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def _refuse(send: Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"retry-after", b"10")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await _part(send, b"Too many viewers.", more=False)


def _language(scope: Message) -> Language:
    asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("lang", [""])[0]
    return "zh" if asked == "zh" else "en"
