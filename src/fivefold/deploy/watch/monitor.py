"""The monitor: takes note of every request in microseconds, and does the sums later and elsewhere."""

from collections.abc import Callable, Sequence
from threading import Event as Signal
from threading import Lock
from time import time

from fivefold.deploy.event import Event
from fivefold.deploy.watch.feedback import Feedback
from fivefold.deploy.watch.findings import live_of
from fivefold.deploy.watch.live import Live
from fivefold.deploy.watch.observe import (
    ANSWER,
    REQUEST_WIDTH,
    example_rows,
    example_width,
    request_rows,
    size_of,
)
from fivefold.deploy.watch.reference import Reference
from fivefold.deploy.watch.ring import Ring
from fivefold.deploy.watch.series import Moment, Series
from fivefold.deploy.watch.subject import Subject, Window
from fivefold.deploy.watch.totals import Totals
from fivefold.deploy.watch.view import View

MOST_EVENTS = 20_000  # that wait to be looked at
MOST_NUMBERS = 8_000_000  # in their inputs: 32 MB


class Monitor:
    """A `Sink` that watches a served model; safe to call from any thread, in bounded memory.

    Args:
        subject: Whom it watches.
        reference: What ordinary inputs and answers look like.
        window: How far back its evidence looks.
        depth: Returns how many requests wait for the model.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        subject: Subject,
        *,
        reference: Reference,
        window: Window = Window(),
        depth: Callable[[], int] = lambda: 0,
        clock: Callable[[], float] = time,
    ) -> None:
        self.subject = subject
        self.reference = reference
        self.window = window
        self.depth = depth
        self.clock = clock
        self.started = clock()
        self._door = Lock()  # held for a moment by every request
        self._pending: list[Event] = []
        self._weight = 0
        self._totals = Totals()
        self._desk = Lock()  # held while sums are done; no request waits for it
        self._requests = Ring(window.requests, REQUEST_WIDTH)
        self._examples = Ring(window.rows, example_width(subject))
        self._series = Series()
        self._feedback = Feedback()
        self._live: Live | None = None
        self._sums = Lock()  # so that two readers do not do the same sums
        self.closed = Signal()

    def __call__(self, *events: Event) -> None:
        """Take note of requests; those too many to wait for being looked at are only counted."""
        with self._door:
            for event in events:
                self._totals.add(event)
                self._keep(event, 0 if event.x is None else event.x.numel())

    def _keep(self, event: Event, weight: int) -> None:
        is_full = len(self._pending) >= MOST_EVENTS or self._weight + weight > MOST_NUMBERS
        if is_full and self._pending:
            self._totals.lost += 1
            return
        self._pending.append(event)
        self._weight += weight

    def catch_up(self) -> None:
        """Look at every request that waits."""
        with self._desk:
            with self._door:
                events, self._pending, self._weight = self._pending, [], 0
            if events:
                self._look(events)

    def label(self, request: str, labels: Sequence[float], client: str = "") -> bool:
        """Take the true labels of a request that was answered, one per example.

        Args:
            request: Its id.
            labels: Class indices, or numbers.
            client: Name of the key that was used; only who asked may label.

        Returns:
            Whether it was known, not yet labelled, and had so many examples.
        """
        self.catch_up()
        with self._desk:
            return self._feedback.take(client, request, labels, self.clock())

    def view(self) -> View:
        """Return what is remembered now."""
        self.catch_up()
        now = self.clock()
        since = now - 60 * self.window.minutes
        with self._desk:
            requests, examples = self._requests.since(since), self._examples.since(since)
            pairs, waiting = self._feedback.pairs(since), self._feedback.n_waiting
            whole = max(self.started, since, self._requests.whole_since)
        return View(now, self.started, whole, requests, examples, pairs, waiting, self.totals())

    def live(self, no_older_than: float = 5.0) -> Live:
        """Return the evidence, found anew if the last is older than so many seconds."""
        with self._sums:
            now = self.clock()
            if self._live is None or not 0 <= now - self._live.written < no_older_than:
                self._live = live_of(self.view(), self.subject, self.reference, self.window)
            return self._live

    def close(self) -> None:
        """End the streams of all viewers, so that a server can stop; requests are still noted."""
        self.closed.set()

    def totals(self) -> Totals:
        """Return the counts since the start."""
        with self._door:
            return self._totals.copy()

    def moments(self) -> list[Moment]:
        """Return the last minutes in short steps."""
        self.catch_up()
        with self._desk:
            return self._series.until(self.clock())

    def _look(self, events: list[Event]) -> None:
        sizes = [size_of(event, self.subject) for event in events]
        rows = example_rows(events, sizes, self.subject)
        self._requests.add(request_rows(events))
        self._examples.add(rows)
        answers = rows[:, ANSWER].tolist()
        alarms = self._alarms(events)
        at = 0
        for event, size, n in zip(events, sizes, alarms, strict=True):
            if size and event.outputs is not None and not event.refusal:
                self._feedback.remember(event.client, event.request, answers[at : at + size])
            at += size
            self._series.add(event, n)

    def _alarms(self, events: Sequence[Event]) -> list[int]:
        """Return and count the alarms of each event; a score that is no number raises one, too."""
        most = self.subject.threshold
        if most is None:
            return [0] * len(events)
        scores = [[] if e.scores is None else e.scores.tolist() for e in events]
        alarms = [sum(not s <= most for s in told) for told in scores]
        with self._door:
            self._totals.alarms += sum(alarms)
            self._totals.scored += sum(map(len, scores))
        return alarms
