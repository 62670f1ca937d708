"""Blocks explained by other processes of this machine."""

import multiprocessing
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import numpy as np
from torch import Tensor

from fivefold.core.errors import BadInput, LimitReached
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.scale.work import Failed, Job, arrived, done_elsewhere

AHEAD = 2  # blocks per worker that may wait, so that nobody idles and memory stays bounded
_held: list[Job] = []  # of a worker: the job that it was started with

Coming = Future[Mapping[str, Any] | Failed]


def in_processes(job: Job, blocks: Iterator[Tensor], workers: int) -> Iterator[Attribution]:
    """Return the attributions of each block, in order.

    Raises:
        BadInput: The model cannot be sent to another process.
        LimitReached: A process died.
    """
    _refuse_untransportable(job)
    return _in_pool(job, blocks, workers)


def _in_pool(job: Job, blocks: Iterator[Tensor], workers: int) -> Iterator[Attribution]:
    waiting: deque[Coming] = deque()
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_hold, initargs=(job,)
    )
    try:
        for block in blocks:
            waiting.append(pool.submit(_work, block.detach().cpu().numpy()))
            if len(waiting) >= AHEAD * workers:
                yield arrived(waiting.popleft().result())
        while waiting:
            yield arrived(waiting.popleft().result())
    except BrokenProcessPool as error:
        raise LimitReached(
            "A process that explains rows has ended before its time.",
            mend="Use fewer workers or smaller blocks if memory ran out. A script must call this below "
            "if __name__ == '__main__':.",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _hold(job: Job) -> None:
    _held[:] = [job]


def _work(x: np.ndarray[Any, Any]) -> Mapping[str, Any] | Failed:
    return done_elsewhere(_held[0], x)


def _refuse_untransportable(job: Job) -> None:
    from multiprocessing.reduction import ForkingPickler

    try:
        ForkingPickler.dumps(job)
    except Exception as error:  # whatever a stranger's model may raise
        raise BadInput(
            "A {model} cannot be sent to another process: {problem}.",
            mend="Use workers = 0, or a model of a function that a module defines.",
            model=type(job.model).__name__,
            problem=str(error).partition("\n")[0][:200],
        ) from error
