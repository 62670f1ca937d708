"""Limits on waiting: how much may queue, and how long an answer may take."""

import asyncio
from collections.abc import Callable

from fivefold.core.text import text
from fivefold.deploy.server.call import Call, Inner
from fivefold.deploy.server.refused import Refused


class Queue:
    """Refuses what would only wait.

    Args:
        most: Rows that may wait for the model.
        waiting: Returns how many do.
        rows: Rows that one request may hold.
    """

    def __init__(self, most: int, waiting: Callable[[], int], rows: int) -> None:
        self.most = most
        self.waiting = waiting
        self.rows = rows

    async def __call__(self, call: Call, inner: Inner) -> None:
        """Go on, or refuse with 413 (too many rows) or 503."""
        n = 0 if call.x is None else len(call.x)
        if n > self.rows:
            raise Refused(413, "size", text("A request may hold {most} examples.", most=self.rows))
        waiting = self.waiting()
        if waiting and waiting + n > self.most:
            raise Refused(503, "queue", text("Too many requests are waiting."), retry_after=1)
        await inner(call)


class Time:
    """Gives up on an answer that takes too long.

    Args:
        seconds: From here to the answer.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def __call__(self, call: Call, inner: Inner) -> None:
        """Go on, or refuse with 504."""
        try:
            async with asyncio.timeout(self.seconds):
                await inner(call)
        except TimeoutError:
            reason = text("No answer within {seconds} seconds.", seconds=self.seconds)
            raise Refused(504, "time", reason, retry_after=1) from None
