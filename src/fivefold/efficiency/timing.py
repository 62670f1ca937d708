"""Time calls, and say how busy the machine was."""

import os
import time
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.data import Inputs, Splits, take
from fivefold.core.errors import NotMeasurable
from fivefold.core.text import Text, text

BUSY = 0.5  # load per core from which on a time is marked
FEWEST = 6  # calls that bound a median at 95 %


def durations(
    call: Callable[[], object], *, warmup: int, repeats: int, seconds: float
) -> Float[Tensor, " call"]:
    """Return the seconds of each call.

    Args:
        call: What is timed.
        warmup: Calls before the first that counts.
        repeats: Most calls.
        seconds: After so long no further call is begun, unless there are too few to bound a median.
    """
    for _ in range(warmup):
        call()
    found: list[float] = []
    start = time.perf_counter()
    while len(found) < repeats:
        before = time.perf_counter()
        call()
        found.append(time.perf_counter() - before)
        if before - start > seconds and len(found) >= FEWEST:
            break
    return torch.tensor(found, dtype=torch.float64)


def inputs_of(splits: Splits, size: int) -> Inputs:
    """Return `size` test inputs, over and over if there are fewer.

    Raises:
        NotMeasurable: There are none.
    """
    if not splits.test.size:
        raise NotMeasurable("There are no test examples to predict.", mend="Keep a test split.")
    return take(splits.test.x, torch.arange(size) % splits.test.size)


def load_note(load: float | None) -> Text:
    """Return a warning if the machine was busy: `load` is the work per core, None if unknown."""
    if load is None or load <= BUSY:
        return Text("")
    return text(
        "The machine was busy (load {load} per core); on an idle one calls are faster.", load=load
    )


def load_per_core() -> float | None:
    """Return the load average of the last minute per core, None where the system does not tell."""
    if not hasattr(os, "getloadavg"):
        return None
    return os.getloadavg()[0] / (os.cpu_count() or 1)
