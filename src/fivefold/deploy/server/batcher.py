"""Micro-batching: what comes in while the model is busy is answered together (Clipper, Crankshaw et al., 2017).

Nobody waits for company: an idle model starts at once. A batch that the model answers within two
milliseconds is answered in the event loop itself, where no hand-over to a thread is paid for and the next
batch gathers in the sockets; anything longer goes to a thread.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from fivefold.core.text import text
from fivefold.deploy.server.call import Answer, Call, Done
from fivefold.deploy.server.pace import Pace
from fivefold.deploy.server.refused import Refused

Work: TypeAlias = Callable[[Tensor], Answer]


class Job(NamedTuple):
    """A call that waits, until when, and who is told."""

    call: Call
    done: Done
    due: float

    @property
    def x(self) -> Tensor:
        """The examples."""
        assert self.call.x is not None
        return self.call.x


class Batcher:
    """Runs the model.

    Args:
        work: Answers a batch.
        most: Rows in one batch.
        seconds: For an answer, from when it was asked for.
    """

    def __init__(self, work: Work, most: int = 64, seconds: float = 10.0) -> None:
        self.work = work
        self.most = most
        self.seconds = seconds
        self.pace = Pace(most)
        self.waiting = 0
        self._jobs: deque[Job] = deque()
        self._running: Sequence[Job] = ()
        self._is_called = False
        self._orders: SimpleQueue[Sequence[Job] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="fivefold-model", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alarm: asyncio.TimerHandle | None = None

    def start(self, example: Tensor | None = None) -> None:
        """Begin; called inside the running event loop.

        Args:
            example: One row to learn the model's pace from.
        """
        self._loop = asyncio.get_running_loop()
        if example is not None:
            self.pace.learn(lambda n: self.work(example.expand(n, *example.shape[1:])))
        self._thread.start()

    def stop(self) -> None:
        """End after the jobs that run."""
        self._orders.put(None)
        if self._thread.is_alive():
            self._thread.join(5)

    def wait(self) -> float:
        """Return the seconds that everything which waits now will take."""
        return self.pace.wait(self.waiting)

    def submit(self, call: Call, done: Done) -> None:
        """Answer `call` together with whatever else waits; `done` is told, later, in the event loop."""
        assert self._loop is not None, "start() comes first"
        job = Job(call, done, call.started + self.seconds)
        self.waiting += job.call.rows
        self._jobs.append(job)
        if not (self._is_called or self._running):
            self._is_called = True
            self._loop.call_soon(self._next)

    def _next(self) -> None:
        """Answer the next batch: here if that is quick, in the thread if not."""
        self._is_called = False
        assert self._loop is not None
        jobs = self._gathered()
        if not jobs:
            return
        if sum(job.call.rows for job in jobs) <= self.pace.inline:
            self._deliver(jobs, self._together(jobs))
            if self._jobs:
                self._is_called = True
                self._loop.call_soon(self._next)
            return
        self._running = jobs
        self._orders.put(jobs)
        if self._alarm is None:
            self._watch()

    def _gathered(self) -> list[Job]:
        """Take the jobs of the next batch; at least one, though it be large."""
        jobs: list[Job] = []
        n, most = 0, self.pace.inline or self.most
        while self._jobs:
            job = self._jobs[0]
            if job.call.is_gone:
                self.waiting -= self._jobs.popleft().call.rows
                continue
            n += job.call.rows
            if jobs and n > most:
                break
            jobs.append(self._jobs.popleft())
        return jobs

    def _run(self) -> None:
        assert self._loop is not None
        while (jobs := self._orders.get()) is not None:
            found = self._together(jobs)
            try:
                self._loop.call_soon_threadsafe(self._back, jobs, found)
            except RuntimeError:  # the loop has been closed: nobody waits any more
                return

    def _back(self, jobs: Sequence[Job], found: Sequence[Answer | Exception]) -> None:
        self._running = ()
        self._next()  # before the answers are written, so that the model is not idle meanwhile
        self._deliver(jobs, found)

    def _deliver(self, jobs: Sequence[Job], found: Sequence[Answer | Exception]) -> None:
        for job, one in zip(jobs, found, strict=True):
            self.waiting -= job.call.rows
            if job.call.is_gone:
                continue
            if isinstance(one, Exception):
                job.done(one)
            else:
                job.call.answer = one
                job.done(None)

    def _together(self, jobs: Sequence[Job]) -> list[Answer | Exception]:
        """Return the answer to each job; if all at once fail, each is asked alone."""
        began = time.perf_counter()
        if len(jobs) == 1:
            found = [self._alone(jobs[0].x)]
        else:
            try:
                whole = self.work(torch.cat([job.x for job in jobs]))
                found = _cut(whole, [job.call.rows for job in jobs])
            except Exception:  # whoever is at fault, the neighbours are not
                found = [self._alone(job.x) for job in jobs]
        self.pace.note(sum(job.call.rows for job in jobs), time.perf_counter() - began)
        return found

    def _alone(self, x: Tensor) -> Answer | Exception:
        try:
            return self.work(x)
        except Exception as error:
            return error

    def _watch(self) -> None:
        """Give up on what has waited too long; one timer for all, set while a thread is at work."""
        assert self._loop is not None
        self._alarm = None
        now = time.perf_counter()
        reason = text("No answer within {seconds} seconds.", seconds=self.seconds)
        for job in (*self._running, *self._jobs):
            if not job.call.is_gone and job.due <= now:
                job.done(Refused(504, "time", reason, retry_after=1))
                job.call.is_gone = True
        if self._running:
            due = min((job.due for job in (*self._running, *self._jobs) if not job.call.is_gone), default=now + self.seconds)  # fmt: skip
            self._alarm = self._loop.call_later(max(due - now, 0.01), self._watch)


def _cut(whole: Answer, sizes: Sequence[int]) -> list[Answer | Exception]:
    found: list[Answer | Exception] = []
    at = 0
    for n in sizes:
        scores = None if whole.scores is None else whole.scores[at : at + n]
        found.append(Answer(outputs=whole.outputs[at : at + n], scores=scores))
        at += n
    return found
