"""How fast the model is, by the size of the batch, as it has been measured."""

import time
from collections.abc import Callable
from math import ceil, inf, isfinite

INLINE = 0.002  # seconds that the event loop may stand still for one batch
STEP = 0.02  # towards each new measurement, whatever its size: what is followed is the median
HOPE = 0.005  # that a size which was too slow once, when the machine was busy, has become quick enough again
ROUNDS = 3


class Pace:
    """Seconds that a batch takes, by powers of two.

    Args:
        most: Rows in one batch.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.seconds: list[float] = [inf] * ((most - 1).bit_length() + 1)
        self.inline = 0
        self._hoped = -1  # the power of two that is tried again and has not been measured since

    def learn(self, work: Callable[[int], object]) -> None:
        """Ask the model for a batch of each size, a few times, and keep the best."""
        for place in range(len(self.seconds)):
            for round_ in range(ROUNDS):
                began = time.perf_counter()
                work(1 << place)
                took = time.perf_counter() - began
                if round_:  # the first one warms up
                    self.seconds[place] = min(self.seconds[place], took)
            if self.seconds[place] > 10 * INLINE:
                break
        self._judge()

    def note(self, rows: int, seconds: float) -> None:
        """Take account of a batch that has been answered."""
        place = min((rows - 1).bit_length(), len(self.seconds) - 1)
        known = self.seconds[place]
        if isfinite(known) and place != self._hoped:
            self.seconds[place] = known * (1 + STEP if seconds > known else 1 - STEP)
        else:
            self.seconds[place] = seconds
        self._hoped = -1 if place == self._hoped else self._hoped
        self._judge()
        if 1 << place == self.inline:
            self._hope(place + 1)

    def _hope(self, place: int) -> None:
        """Believe a little less that a size is too slow: what is not used is never measured again."""
        if place < len(self.seconds) and isfinite(self.seconds[place]):
            self.seconds[place] *= 1 - HOPE
            if self.seconds[place] <= INLINE:
                self._hoped = place
                self._judge()

    def wait(self, rows: int) -> float:
        """Return the seconds that so many rows take, in batches; a size never seen counts as the next smaller."""
        if not rows:
            return 0.0
        batch = self.inline or self.most
        place = (min(rows, batch) - 1).bit_length()
        while place >= 0 and not isfinite(self.seconds[place]):
            place -= 1
        return ceil(rows / batch) * self.seconds[place] if place >= 0 else 0.0

    def _judge(self) -> None:
        self.inline = 0
        for place, seconds in enumerate(self.seconds):
            if seconds > INLINE:
                break
            self.inline = 1 << place
