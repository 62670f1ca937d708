"""Whom the monitor watches, and how far back it looks."""

from dataclasses import dataclass

from fivefold.core.limits import Count
from fivefold.core.schema import Schema
from fivefold.core.task import Task


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The model that is served.

    Attributes:
        name: Name under which it is served.
        task: What it predicts.
        schema: What it eats.
        run: Name of the run it comes from; "" if none.
        stage: Name of the stage that ships.
        digest: SHA-256 of the manifest of its bundle, so that evidence is never taken for another's.
        threshold: Score above which its detector raises an alarm; None without a detector.
        nominal: Share of ordinary examples that the threshold was set to alarm on.
    """

    name: str
    task: Task
    schema: Schema
    run: str = ""
    stage: str = ""
    digest: str = ""
    threshold: float | None = None
    nominal: float | None = None


@dataclass(frozen=True, kw_only=True)
class Window:
    """A sliding window: the last `requests` and `rows`, and of them what is younger than `minutes`.

    Windows rather than CUSUM or EWMA charts: everybody understands "the last 5,000 examples", each number
    keeps an ordinary interval, and nothing of a long quiet past can hide a change.

    Attributes:
        requests: Requests that are remembered, at most.
        rows: Examples that are remembered, at most.
        minutes: How old they may be.
    """

    requests: Count = 20_000
    rows: Count = 5_000
    minutes: Count = 60
