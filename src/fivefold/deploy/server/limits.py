"""Limits on waiting: how much may queue, and how long an answer may take."""

import asyncio
import time
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
    """Gives up on a body that comes too slowly, and on an answer that takes too long.

    One timer serves both: a second one would cost as much as a guard.

    Args:
        body: Seconds for the body.
        answer: Seconds for the answer, once the body is there.
    """

    def __init__(self, body: float, answer: float) -> None:
        self.body = body
        self.answer = answer

    async def __call__(self, call: Call, inner: Inner) -> None:
        """Go on, or refuse with 408 (the body) or 504 (the answer)."""
        clock = _Clock(call, self)
        try:
            await inner(call)
        except asyncio.CancelledError:
            if not clock.is_over:
                raise
            clock.task.uncancel()
            if not call.is_read:
                raise Refused(408, "time", text("The body came too slowly.")) from None
            reason = text("No answer within {seconds} seconds.", seconds=self.answer)
            raise Refused(504, "time", reason, retry_after=1) from None
        finally:
            clock.stop()


class _Clock:
    """Cancels the task of a call when its time is over."""

    __slots__ = ("call", "is_over", "limits", "loop", "task", "timer")

    def __init__(self, call: Call, limits: Time) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        self.loop = asyncio.get_running_loop()
        self.call = call
        self.limits = limits
        self.is_over = False
        self.timer = self.loop.call_later(min(limits.body, limits.answer), self._ring)

    def stop(self) -> None:
        self.timer.cancel()

    def _ring(self) -> None:
        left = self._due() - time.perf_counter()
        if left > 0:
            self.timer = self.loop.call_later(left, self._ring)
        else:
            self.is_over = True
            self.task.cancel()

    def _due(self) -> float:
        call, limits = self.call, self.limits
        return call.read_at + limits.answer if call.is_read else call.started + limits.body
