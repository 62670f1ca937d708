"""Limits on waiting: by time, by examples, and by what the records can take."""

from collections.abc import Callable

from fivefold.core.text import text
from fivefold.deploy.server.call import Call
from fivefold.deploy.server.refused import Refused


class Room:
    """Refuses what would wait too long, before its body is read, with 503.

    Args:
        wait: Returns the seconds that what waits now will take.
        seconds: Longest wait.
        is_full: Returns whether what happens could not be recorded.
    """

    def __init__(
        self, wait: Callable[[], float], seconds: float, is_full: Callable[[], bool]
    ) -> None:
        self.wait = wait
        self.seconds = seconds
        self.is_full = is_full

    def __call__(self, call: Call) -> None:
        """Go on, or refuse."""
        if self.wait() > self.seconds:
            raise Refused(503, "queue", text("Too many requests are waiting."), retry_after=1)
        if self.is_full():
            reason = text("The audit log takes no more, and nothing is answered unrecorded.")
            raise Refused(503, "queue", reason, retry_after=1)


class Rows:
    """Refuses any request with 503 when as many examples wait for the model as may.

    It stands before the body is read, so that a refusal costs nothing of what a question costs, and again
    behind it, for what came in meanwhile. One request can go beyond the limit, by its own examples.

    Args:
        waiting: Returns how many wait.
        most_waiting: How many may.
    """

    def __init__(self, waiting: Callable[[], int], most_waiting: int) -> None:
        self.waiting = waiting
        self.most_waiting = most_waiting

    def __call__(self, call: Call) -> None:
        """Go on, or refuse."""
        if self.waiting() >= self.most_waiting:
            raise Refused(503, "queue", text("Too many requests are waiting."), retry_after=1)
