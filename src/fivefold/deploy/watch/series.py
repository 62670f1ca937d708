"""The last minutes in short steps, for pictures: counts and a coarse histogram of times per step."""

from collections import OrderedDict
from dataclasses import dataclass, field
from math import log10

from fivefold.deploy.event import Event

STEP = 2.0  # seconds
STEPS = 90
PER_DECADE = 24
FASTEST = 1e-5
N_TIMES = 7 * PER_DECADE + 1


@dataclass
class Moment:
    """One step of time.

    Attributes:
        requests: Requests that ended in it.
        refused: Those that a guard refused.
        examples: Examples that the detector looked at.
        alarms: Those it found suspicious.
        times: Histogram of their seconds on a logarithmic scale, 24 cells to a factor of ten.
    """

    requests: int = 0
    refused: int = 0
    examples: int = 0
    alarms: int = 0
    times: dict[int, int] = field(default_factory=dict[int, int])

    def quantile(self, q: float) -> float | None:
        """Return the `q` quantile of seconds, true to 10 %; None if there were no requests."""
        wanted, seen = q * sum(self.times.values()), 0
        for cell in sorted(self.times):
            seen += self.times[cell]
            if seen >= wanted:
                return float(FASTEST * 10 ** ((cell + 0.5) / PER_DECADE))
        return None


class Series:
    """The last three minutes."""

    def __init__(self) -> None:
        self._moments: OrderedDict[int, Moment] = OrderedDict()

    def add(self, event: Event, alarms: int) -> None:
        """Count a request in its step."""
        moment = self._at(int(event.time // STEP))
        moment.requests += 1
        moment.refused += event.refusal != ""
        if event.scores is not None:
            moment.examples += len(event.scores)
            moment.alarms += alarms
        if event.refusal == "":
            cell = int(PER_DECADE * log10(max(event.seconds, FASTEST) / FASTEST))
            cell = min(cell, N_TIMES - 1)
            moment.times[cell] = moment.times.get(cell, 0) + 1

    def until(self, now: float) -> list[Moment]:
        """Return the whole steps before `now`, oldest first; steps without requests are empty."""
        last = int(now // STEP) - 1
        return [self._moments.get(last - STEPS + 1 + i, Moment()) for i in range(STEPS)]

    def _at(self, step: int) -> Moment:
        if step not in self._moments:
            self._moments[step] = Moment()
            while len(self._moments) > STEPS + 5:
                self._moments.pop(min(self._moments))
        return self._moments[step]
