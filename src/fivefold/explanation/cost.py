"""What an explanation will cost, before it is begun."""

import time
from typing import NamedTuple, Protocol, runtime_checkable

from fivefold.core.model import Model
from fivefold.explanation.question import Question

PROBED = 16  # examples of the one question by which the model's pace is measured


@runtime_checkable
class Counted(Protocol):
    """An explainer that knows how often it will ask the model."""

    def evaluations(self, n: int, rows: int, background: int) -> int:
        """Return at most how many inputs the model will answer.

        Args:
            n: Features.
            rows: Examples that are explained.
            background: Background rows.
        """
        ...


class Cost(NamedTuple):
    """At most so many answers of the model, and roughly so many seconds for them; None if nobody knows."""

    n_evaluations: int | None
    seconds: float | None


def cost_of(explainer: object, model: Model, question: Question) -> Cost:
    """Return what an explainer will cost; the model answers a few of the examples twice for it.

    The time is that of small batches, so that a long explanation takes less rather than more.
    """
    if not isinstance(explainer, Counted):
        return Cost(None, None)
    x, background, groups = question[:3]
    count, some = explainer.evaluations(groups.n, len(x), len(background)), x[:PROBED]
    model.predict(some)  # the first answer of a model is slower than any other
    began = time.perf_counter()
    model.predict(some)
    return Cost(count, count * (time.perf_counter() - began) / len(some))
