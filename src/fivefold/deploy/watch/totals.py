"""Exact counts since the start, cheap enough for the thread that answers."""

from bisect import bisect_left
from dataclasses import dataclass, field

from fivefold.deploy.event import Event

BOUNDS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0
)  # fmt: skip


@dataclass
class Totals:
    """What has been counted since the start; the owner holds a lock around it.

    Attributes:
        requests: Requests by verb, status and refusal.
        within: Requests by the smallest of `BOUNDS` that their seconds do not exceed; the last is beyond.
        seconds: Sum of all seconds.
        rows: Examples that were read.
        alarms: Alarms of the detector.
        scored: Examples that the detector looked at.
        lost: Requests that were counted but whose details came too fast to be looked at.
    """

    requests: dict[tuple[str, int, str], int] = field(
        default_factory=dict[tuple[str, int, str], int]
    )
    within: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0
    rows: int = 0
    alarms: int = 0
    scored: int = 0
    lost: int = 0

    def add(self, event: Event) -> None:
        """Count one request."""
        key = (event.verb, event.status, event.refusal)
        self.requests[key] = self.requests.get(key, 0) + 1
        self.within[bisect_left(BOUNDS, event.seconds)] += 1
        self.seconds += event.seconds
        self.rows += event.rows

    @property
    def n(self) -> int:
        """How many requests there were."""
        return sum(self.within)

    @property
    def refusals(self) -> dict[str, int]:
        """Requests that a guard refused, by guard."""
        found: dict[str, int] = {}
        for (_, _, refusal), n in self.requests.items():
            if refusal:
                found[refusal] = found.get(refusal, 0) + n
        return found

    def copy(self) -> "Totals":
        """Return the counts as they stand."""
        return Totals(
            requests=dict(self.requests), within=list(self.within), seconds=self.seconds,
            rows=self.rows, alarms=self.alarms, scored=self.scored, lost=self.lost,
        )  # fmt: skip
