"""`/explain`: why the model answers so, with error bars, under a limit of cost."""

import asyncio
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from torch import Generator, nn

from fivefold.core.errors import FivefoldError
from fivefold.core.model import Model
from fivefold.core.text import text
from fivefold.deploy.server.background import Background
from fivefold.deploy.server.call import Call, Done
from fivefold.deploy.server.refused import Refused, unfit
from fivefold.explanation import Attribution, explain
from fivefold.models.torch import TorchModel


class Late(Exception):
    """An explanation took too long."""


class Why:
    """Explains, one request at a time, in a thread of its own.

    Args:
        model: The model.
        background: What stands for "not known".
        seconds: For an explanation, from when it was asked for.
        most_rows: Rows in one request.
        most_waiting: Requests that may wait.
    """

    def __init__(
        self,
        model: Model,
        background: Background,
        seconds: float,
        *,
        most_rows: int = 4,
        most_waiting: int = 4,
    ) -> None:
        self.model = self._stopping(model)
        self.background = background
        self.seconds = seconds
        self.most_rows = most_rows
        self.most_waiting = most_waiting
        self.waiting = 0
        self._now: Call | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fivefold-explain")

    def __call__(self, call: Call, done: Done) -> None:
        """Fill in what `/explain` tells, later."""
        assert call.x is not None
        if call.rows > self.most_rows:
            reason = text("An explanation may ask for {most} examples.", most=self.most_rows)
            raise Refused(413, "size", reason)
        if self.waiting >= self.most_waiting:
            raise Refused(503, "queue", text("Too many requests are waiting."), retry_after=1)
        self.waiting += 1
        loop = asyncio.get_running_loop()
        left = call.started + self.seconds - time.perf_counter()
        timer = loop.call_later(max(left, 0.0), self._late, call, done)

        def end(job: "Future[Attribution]") -> None:
            timer.cancel()
            self._end(call, done, job)

        job = self._thread.submit(self._explain, call)
        job.add_done_callback(lambda job: _later(loop, end, job))

    def stop(self) -> None:
        """Wait for nothing that has not begun."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _late(self, call: Call, done: Done) -> None:
        reason = text("No answer within {seconds} seconds.", seconds=self.seconds)
        done(Refused(504, "time", reason, retry_after=1))
        call.is_gone = True

    def _end(self, call: Call, done: Done, job: "Future[Attribution]") -> None:
        self.waiting -= 1
        if call.is_gone or job.cancelled():
            return
        error = job.exception()
        if isinstance(error, Late):  # the thread has seen it before the clock of the loop
            self._late(call, done)
        elif error is None:
            call.told = told_of(job.result(), call) | {
                "background": self.background.about.words(call.language)
            }
            done(None)
        else:
            done(unfit(error.what) if isinstance(error, FivefoldError) else _plain(error))

    def _explain(self, call: Call) -> Attribution:
        """Explain; the same body is explained with the same random numbers."""
        assert call.x is not None
        self._now = call
        self._check()
        rng = Generator().manual_seed(int(call.digest[:12] or "0", 16))
        return explain(self.model, call.x, self.background.rows, rng=rng)

    def _check(self, *_: object) -> None:
        """Stop the thread's work, between two batches, when nobody waits for it any more."""
        call = self._now
        if call is not None and (call.is_gone or time.perf_counter() > call.started + self.seconds):
            raise Late

    def _stopping(self, model: Model) -> Model:
        """Return the same model, asking before each batch whether to go on; others than networks are not stopped."""
        if not isinstance(model, TorchModel) or type(model.net) is not nn.Sequential:
            return model
        net = nn.Sequential(OrderedDict(model.net.named_children())).train(model.net.training)
        net.register_forward_pre_hook(self._check)
        return replace(model, net=net)


def _plain(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else RuntimeError(repr(error))


def _later(loop: asyncio.AbstractEventLoop, done: Any, job: Any) -> None:
    try:
        loop.call_soon_threadsafe(done, job)
    except RuntimeError:  # the loop has been closed: nobody waits any more
        return


def told_of(found: Attribution, call: Call) -> dict[str, Any]:
    """Return the attributions as JSON will have them; an unknown error is null."""
    return {
        "method": found.method,
        "reason": found.reason.words(call.language),
        "unit": found.unit.words(call.language),
        "converged": found.is_converged.tolist(),
        "evaluations": found.n_evaluations,
        "features": list(found.names),
        "outputs": list(found.outputs),
        "base": found.base.tolist(),
        "score": found.score.tolist(),
        "values": found.values.tolist(),
        "standard_error": None if found.error is None else found.error.tolist(),
    }
