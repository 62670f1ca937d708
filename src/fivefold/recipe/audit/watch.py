"""One clock and one counter for all probes of an audit; the probes themselves never read a clock."""

import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import Any

from jaxtyping import Float
from torch import Tensor, cat, nn

from fivefold.core.data import Inputs, as_tensor, take
from fivefold.core.lineage import Lineage
from fivefold.core.model import HasNet, Model
from fivefold.core.progress import heard_by
from fivefold.core.schema import Schema
from fivefold.core.task import Task

GRACE = 1.0  # seconds after which a model that does not come back is interrupted
BREATH = 0.25  # seconds between two looks at the clock, where the size of a batch decides
FIRST, MOST = 64, 4096  # inputs in one call, before and after its speed is known


class Spent(BaseException):
    """The time of a probe is over.

    No `Exception`: a model's own `except Exception` must not swallow it.
    """


class Watch:
    """A clock that stops probes, and a counter of what the model was asked.

    Attributes:
        started: When the audit began.
        calls: Calls of the model.
        inputs: Inputs that it answered, all calls together.
        is_whole: Whether a call is passed on as it is, because its duration is what is measured.
    """

    def __init__(self, started: float | None = None) -> None:
        self.started = time.monotonic() if started is None else started
        self.calls = 0
        self.inputs = 0
        self.is_whole = False
        self._until = inf
        self._seconds_per_input = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the audit began."""
        return time.monotonic() - self.started

    def check(self) -> None:
        """Stop whoever works, if the time is over."""
        if time.monotonic() > self._until:
            raise Spent

    @contextmanager
    def allowing(self, seconds: float) -> Generator[None]:
        """Stop what happens inside the block after so many seconds."""
        self._until = time.monotonic() + seconds
        with _alarm(seconds + GRACE), heard_by(self):
            try:
                yield
            finally:
                self._until = inf

    @property
    def size(self) -> int:
        """How many inputs a call may hold, so that the clock is looked at often enough."""
        if self._until == inf:
            return MOST
        if not self._seconds_per_input:
            return FIRST
        return max(1, min(MOST, int(BREATH / self._seconds_per_input)))

    def asked(self, n: int, seconds: float = 0.0) -> None:
        """Count a call with `n` inputs."""
        self.calls += 1
        self.inputs += n
        if n and seconds:
            self._seconds_per_input = seconds / n

    def start(self, label: str, total: int | None) -> int:
        """A piece of work begins."""
        self.check()
        return 0

    def advance(self, handle: int) -> None:
        """A piece of work goes on."""
        self.check()

    def scalar(self, label: str, value: float, index: int) -> None:
        """A number along the way."""

    def stop(self, handle: int) -> None:
        """A piece of work has ended."""


@dataclass(frozen=True, kw_only=True)
class BlackBox:
    """A model of which only the answers are known; each call looks at the clock and is counted.

    Attributes:
        inner: Who answers.
        watch: The clock.
    """

    inner: Model
    watch: Watch

    @property
    def task(self) -> Task:
        """What it predicts."""
        return self.inner.task

    @property
    def schema(self) -> Schema:
        """What it eats."""
        return self.inner.schema

    @property
    def lineage(self) -> Lineage:
        """What was done to it."""
        return self.inner.lineage

    def predict(self, x: Inputs) -> Float[Tensor, "batch outputs"]:
        """Return the answers, asked for in parts that are short enough for the clock."""
        n, answers = _length(x), list[Tensor]()
        if self.watch.is_whole or not n:
            return self._timed(x, n)
        first = 0
        while first < n:
            size = self.watch.size
            answers.append(self._timed(take(x, slice(first, first + size)), min(size, n - first)))
            first += size
        return cat(answers)

    def with_lineage(self, lineage: Lineage) -> "BlackBox":
        """Return the same predictor with another history."""
        return BlackBox(inner=self.inner.with_lineage(lineage), watch=self.watch)

    def _timed(self, x: Inputs, n: int) -> Tensor:
        self.watch.check()
        start = time.perf_counter()
        answer = self.inner.predict(x)
        self.watch.asked(n, time.perf_counter() - start)
        return answer


@contextmanager
def watched(model: Model, watch: Watch) -> Generator[Model]:
    """Yield `model` as probes see it: an open network as it is with an ear on it, any other as a black box."""
    if not isinstance(model, HasNet):
        yield BlackBox(inner=model, watch=watch)
        return

    def look(net: nn.Module, given: tuple[Any, ...]) -> None:
        watch.check()
        if net is model.net:  # a copy with other weights hears the same, but is not the model
            watch.asked(_length(given[0]))

    ear = model.net.register_forward_pre_hook(look)
    try:
        yield model
    finally:
        ear.remove()


@contextmanager
def _alarm(seconds: float) -> Generator[None]:
    """Interrupt a call that does not come back, where the system can; only the main thread may ask for it."""
    is_main = threading.current_thread() is threading.main_thread()
    if seconds == inf or not is_main or not hasattr(signal, "setitimer"):
        yield
        return

    def ring(number: int, frame: object) -> None:
        raise Spent

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _length(x: Any) -> int:
    """Return how many inputs there are; of a mapping, the length of any of its tensors."""
    return len(as_tensor(x) if isinstance(x, Tensor) else next(iter(x.values())))
