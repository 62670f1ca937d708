"""From the event loop to whoever keeps records: handed over in batches, to a thread of their own."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple

from fivefold.deploy.event import Event, Refusal, Sink
from fivefold.deploy.server.call import Call

EVERY = 0.1  # seconds between two hand-overs: a thread that wakes up seldom is seldom in the way
MOST = 20_000  # calls that wait to be recorded
log = logging.getLogger(__name__)


class Ended(NamedTuple):
    """A call that was answered, and how."""

    call: Call
    status: int
    refusal: Refusal
    seconds: float
    time: float


class Post:
    """Tells every sink of every call. What waits is bounded: `is_full` says when no more may be let in.

    Args:
        sinks: Who is told.
        is_full: Further reasons not to let anybody in, such as a ledger without room.
    """

    def __init__(self, sinks: Sequence[Sink], is_full: Callable[[], bool] = lambda: False) -> None:
        self.sinks = tuple(sinks)
        self._is_full = is_full
        self._gathered: list[Ended] = []
        self._put = 0  # counted by the event loop alone
        self._told = 0  # counted by the thread alone
        self._letters: SimpleQueue[list[Ended] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="fivefold-records", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin; called inside the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def stop(self) -> None:
        """Hand over what there is, and wait until it is recorded."""
        self._hand_over()
        self._letters.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def is_full(self) -> bool:
        """Return whether another call could not be recorded."""
        return self._put - self._told >= MOST or self._is_full()

    def put(self, call: Call, status: int, refusal: Refusal) -> None:
        """Take note of a call; costs the event loop less than a microsecond."""
        if not self.sinks or self._loop is None:
            return
        if not self._gathered:
            self._loop.call_later(EVERY, self._hand_over)
        self._put += 1
        seconds = time.perf_counter() - call.started
        self._gathered.append(Ended(call, status, refusal, seconds, time.time()))

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._letters.put(gathered)

    def _run(self) -> None:
        while (letter := self._letters.get()) is not None:
            events = [event_of(ended) for ended in letter]
            for sink in self.sinks:
                try:
                    sink(*events)
                except Exception:  # one that fails must not silence the others
                    log.exception("a sink failed")
            self._told += len(letter)


def event_of(ended: Ended) -> Event:
    """Return what the sinks are told of a call."""
    call = ended.call
    answer = call.answer
    return Event(
        time=ended.time,
        request=call.request,
        client=call.client,
        verb=call.verb,
        status=ended.status,
        refusal=ended.refusal,
        seconds=ended.seconds,
        rows=call.rows,
        x=call.x,
        outputs=None if answer is None else answer.outputs,
        scores=None if answer is None else answer.scores,
        digest=call.digest,
    )
