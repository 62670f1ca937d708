"""`/explain`: why the model answers so, with error bars, under a limit of cost."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from torch import Generator, Tensor

from fivefold.core.errors import FivefoldError
from fivefold.core.model import Model
from fivefold.core.text import text
from fivefold.deploy.server.call import Call
from fivefold.deploy.server.refused import Refused, unfit
from fivefold.explanation import Attribution, explain


class Why:
    """Explains, one request at a time, in a thread of its own.

    Args:
        model: The model.
        background: Rows that stand for "not known".
        most_rows: Rows in one request.
        most_waiting: Requests that may wait.
    """

    def __init__(
        self, model: Model, background: Tensor, *, most_rows: int = 4, most_waiting: int = 4
    ) -> None:
        self.model = model
        self.background = background
        self.most_rows = most_rows
        self.most_waiting = most_waiting
        self.waiting = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fivefold-explain")

    async def __call__(self, call: Call) -> None:
        """Fill in what `/explain` tells."""
        assert call.x is not None
        if len(call.x) > self.most_rows:
            reason = text("An explanation may ask for {most} examples.", most=self.most_rows)
            raise Refused(413, "size", reason)
        if self.waiting >= self.most_waiting:
            raise Refused(503, "queue", text("Too many requests are waiting."), retry_after=1)
        self.waiting += 1
        loop = asyncio.get_running_loop()
        job = self._thread.submit(self._explain, call.x, int(call.digest[:12] or "0", 16))
        job.add_done_callback(lambda _: _count(loop, self._one_less))
        try:
            found = await asyncio.wrap_future(job)
        except FivefoldError as error:
            raise unfit(error.what) from None
        call.told = told_of(found, call)

    def stop(self) -> None:
        """Wait for nothing that has not begun."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _one_less(self) -> None:
        self.waiting -= 1

    def _explain(self, x: Tensor, seed: int) -> Attribution:
        """Explain; the same body is explained with the same random numbers."""
        return explain(self.model, x, self.background, rng=Generator().manual_seed(seed))


def _count(loop: asyncio.AbstractEventLoop, done: Any) -> None:
    try:
        loop.call_soon_threadsafe(done)
    except RuntimeError:  # the loop has been closed: nobody counts any more
        return


def told_of(found: Attribution, call: Call) -> Mapping[str, Any]:
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
