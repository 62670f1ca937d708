"""Whoever asks the model: counts every answer, and looks at the clock before each batch."""

from dataclasses import dataclass
from time import monotonic

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fivefold.core.model import Model

KEPT = 0.1  # of the time at most, for a last confirmation
FIRST, LARGEST = 32, 4096  # rows in the first batch, which is to show how slow the model is; in any


@dataclass(kw_only=True)
class Judge:
    """A model with a limit of time.

    Attributes:
        model: What is asked.
        until: When to stop, on the monotonic clock.
        kept_back: Answers that there should still be time for afterwards.
        span: Seconds of this part of the search, of which a tenth at most is kept back.
        size: Rows of the next batch. It doubles with each, so that a run that the clock does not stop
            is the same run on a slow machine.
        n: Answers so far.
        seconds: Time they took.
        is_late: Whether the clock has stopped it.
    """

    model: Model
    until: float
    kept_back: int = 0
    span: float = 0.0
    size: int = FIRST
    n: int = 0
    seconds: float = 0.0
    is_late: bool = False

    def answers(
        self, x: Float[Tensor, "rows columns"]
    ) -> tuple[Float[Tensor, "rows outputs"], Bool[Tensor, " rows"]]:
        """Return the answers, and which rows were answered before time ran out; NaN for the others."""
        found = torch.full((len(x), self.model.task.n_outputs), torch.nan, dtype=torch.float64)
        done = 0
        while done < len(x):
            size = min(self.size, len(x) - done, self._affordable())
            if not size:
                self.is_late = True
                break
            part, start = slice(done, done + size), monotonic()
            found[part] = self.model.predict(x[part]).double()
            self.seconds += monotonic() - start
            self.size = min(2 * self.size, LARGEST)
            self.n += size
            done += size
        return found, torch.arange(len(x)) < done

    def begin(self, until: float, kept_back: int = 0) -> None:
        """Begin a part of the search that has to end at `until`."""
        self.until, self.kept_back, self.is_late = until, kept_back, False
        self.span = until - monotonic()

    def _affordable(self) -> int:
        """Return how many answers there is time for, at the pace so far."""
        pace = self.seconds / max(self.n, 1)
        left = self.until - monotonic() - min(self.kept_back * pace, KEPT * self.span)
        if left <= 0:
            return 0
        return LARGEST if pace * LARGEST <= left else int(left / pace)
