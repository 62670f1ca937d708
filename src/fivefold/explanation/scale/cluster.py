"""Blocks explained by the machines of a Ray cluster, or by a Ray of this machine's own."""

from collections import deque
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from torch import Tensor

from fivefold.core.errors import LimitReached, MissingExtra
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.scale.processes import AHEAD
from fivefold.explanation.scale.work import Job, arrived, done_elsewhere


def in_cluster(job: Job, blocks: Iterator[Tensor], workers: int) -> Iterator[Attribution]:
    """Return the attributions of each block, in order.

    A Ray that is running already is used and left running; else one is started here, and stopped.

    Raises:
        MissingExtra: ray is not installed.
        LimitReached: A worker died.
    """
    return _in_ray(_ray(), job, blocks, workers)


def _in_ray(ray: Any, job: Job, blocks: Iterator[Tensor], workers: int) -> Iterator[Attribution]:
    is_own = not ray.is_initialized()
    if is_own:
        ray.init(num_cpus=workers or None, include_dashboard=False, log_to_driver=False)
    try:
        many = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        yield from _spread(ray, job, blocks, many)
    except ray.exceptions.RayError as error:
        raise LimitReached(
            "A Ray worker has failed: {problem}.",
            mend="Use fewer workers or smaller blocks if memory ran out; every machine needs fivefold.",
            problem=str(error).partition("\n")[0][:200],
        ) from error
    finally:
        if is_own:
            ray.shutdown()


def _spread(ray: Any, job: Job, blocks: Iterator[Tensor], many: int) -> Iterator[Attribution]:
    work, shared, waiting = ray.remote(done_elsewhere), ray.put(job), deque[Any]()
    for block in blocks:
        waiting.append(work.remote(shared, block.detach().cpu().numpy()))
        if len(waiting) >= AHEAD * many:
            yield arrived(ray.get(waiting.popleft()))
    while waiting:
        yield arrived(ray.get(waiting.popleft()))


def _ray() -> Any:
    try:
        return import_module("ray")
    except ImportError as error:
        raise MissingExtra(
            "Explaining on many machines needs {package}.",
            mend='pip install "fivefold[scale]"',
            package="ray",
        ) from error
