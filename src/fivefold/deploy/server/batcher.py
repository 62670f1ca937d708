"""Micro-batching: what comes in while the model is busy is answered together (Clipper, Crankshaw et al., 2017).

Nobody waits for company: an idle model starts at once.
"""

import asyncio
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from fivefold.deploy.server.call import Answer

Work: TypeAlias = Callable[[Tensor], Answer]


class Job(NamedTuple):
    """Examples, and where their answer goes."""

    x: Tensor
    answer: "asyncio.Future[Answer]"


class Batcher:
    """Runs the model in one thread of its own.

    Args:
        work: Answers a batch.
        most: Rows in one batch.
    """

    def __init__(self, work: Work, most: int = 64) -> None:
        self.work = work
        self.most = most
        self.waiting = 0
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="fivefold-model", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin; called inside the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def stop(self) -> None:
        """End after the jobs that wait."""
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(5)

    async def ask(self, x: Tensor) -> Answer:
        """Return the answer to `x`, found together with whatever else waits."""
        assert self._loop is not None, "start() comes first"
        job = Job(x, self._loop.create_future())
        self.waiting += len(x)
        self._jobs.put(job)
        return await job.answer

    def _run(self) -> None:
        while (first := self._jobs.get()) is not None:
            jobs, is_last = self._gathered(first)
            self._answer(jobs)
            if is_last:
                return

    def _gathered(self, first: Job) -> tuple[list[Job], bool]:
        """Return the jobs that wait now, and whether the end was among them."""
        jobs, n = [first], len(first.x)
        while n < self.most:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                break
            if job is None:
                return jobs, True
            jobs.append(job)
            n += len(job.x)
        return jobs, False

    def _answer(self, jobs: Sequence[Job]) -> None:
        wanted = [job for job in jobs if not job.answer.cancelled()]
        found = _together(self.work, [job.x for job in wanted])
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._deliver, jobs, wanted, found)
        except RuntimeError:  # the loop has been closed: nobody waits any more
            return

    def _deliver(
        self, jobs: Sequence[Job], wanted: Sequence[Job], found: Sequence[Answer | Exception]
    ) -> None:
        self.waiting -= sum(len(job.x) for job in jobs)
        for job, one in zip(wanted, found, strict=True):
            if job.answer.done():
                continue
            if isinstance(one, Exception):
                job.answer.set_exception(one)
            else:
                job.answer.set_result(one)


def _together(work: Work, parts: Sequence[Tensor]) -> list[Answer | Exception]:
    """Return the answer to each part; if all at once fail, each is asked alone."""
    if len(parts) < 2:
        return [_alone(work, x) for x in parts]
    try:
        whole = work(torch.cat(list(parts)))
    except Exception:  # whoever is at fault, the neighbours are not
        return [_alone(work, x) for x in parts]
    return _cut(whole, [len(x) for x in parts])


def _cut(whole: Answer, sizes: Sequence[int]) -> list[Answer | Exception]:
    found: list[Answer | Exception] = []
    at = 0
    for n in sizes:
        scores = None if whole.scores is None else whole.scores[at : at + n]
        found.append(Answer(outputs=whole.outputs[at : at + n], scores=scores))
        at += n
    return found


def _alone(work: Work, x: Tensor) -> Answer | Exception:
    try:
        return work(x)
    except Exception as error:
        return error
