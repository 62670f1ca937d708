"""True labels that come back later: only what was answered is remembered, under the number of the request."""

from collections import OrderedDict, deque
from collections.abc import Sequence

MOST_REQUESTS = 10_000
MOST_ROWS = 64  # of one request
MOST_LABELS = 5_000
LONGEST = 128  # letters of a request's id


class Feedback:
    """Answers that wait for their label, and pairs of answer and label; both bounded."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[tuple[str, str], tuple[float, ...]] = OrderedDict()
        self._pairs: deque[tuple[float, float, float]] = deque(maxlen=MOST_LABELS)

    def remember(self, client: str, request: str, answers: Sequence[float]) -> None:
        """Keep what was answered; large requests are not remembered, and the oldest make room."""
        if not request or len(answers) > MOST_ROWS:
            return
        self._waiting[_key(client, request)] = tuple(answers)
        while len(self._waiting) > MOST_REQUESTS:
            self._waiting.popitem(last=False)

    def take(self, client: str, request: str, labels: Sequence[float], time: float) -> bool:
        """Pair labels with the answers of a request; False if it is unknown, was labelled, or does not fit."""
        answers = self._waiting.get(_key(client, request))
        if answers is None or len(answers) != len(labels):
            return False
        del self._waiting[_key(client, request)]
        self._pairs.extend((time, a, b) for a, b in zip(answers, labels, strict=True))
        return True

    def pairs(self, since: float) -> list[tuple[float, float]]:
        """Return answers and labels that came back since a time."""
        return [(a, b) for t, a, b in self._pairs if t >= since]

    @property
    def n_waiting(self) -> int:
        """Requests that may still be labelled."""
        return len(self._waiting)


def _key(client: str, request: str) -> tuple[str, str]:
    return client[:LONGEST], request[:LONGEST]
