"""Rate limit per client: the generic cell rate algorithm (ITU-T I.371), one number per client."""

import time
from collections import OrderedDict
from collections.abc import Callable

from fivefold.core.text import text
from fivefold.deploy.server.call import Call
from fivefold.deploy.server.refused import Refused

MOST_CLIENTS = 10_000


class Rate:
    """Allows `per_second` requests on average and `burst` at once.

    Kept per client: the theoretical arrival time of its next request, in nanoseconds. When too many
    clients are known, the one seen longest ago is forgotten.

    Args:
        per_second: Requests per second.
        burst: Requests at once.
        clock: Nanoseconds; may go back, which is then not believed.
        most: Clients that are remembered.
    """

    def __init__(
        self,
        per_second: float,
        burst: int,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        most: int = MOST_CLIENTS,
    ) -> None:
        self.interval = max(1, round(1e9 / per_second))
        self.slack = self.interval * (burst - 1)
        self.clock = clock
        self.most = most
        self._latest = clock()
        self._due: OrderedDict[str, int] = OrderedDict()

    def __call__(self, call: Call) -> None:
        """Go on, or refuse with 429 and the time to wait."""
        self.check(call.client or address_of(call.scope.get("client")))

    def check(self, client: str) -> None:
        """Count a request of `client`.

        Raises:
            Refused: It came too early.
        """
        wait = self.wait(client)
        if wait:
            reason = text("Too many requests; wait {seconds} seconds.", seconds=wait / 1e9)
            raise Refused(429, "rate", reason, retry_after=wait / 1e9)

    def wait(self, client: str) -> int:
        """Count a request of `client` and return 0, or return the nanoseconds until it is welcome."""
        self._latest = now = max(self._latest, self.clock())
        due = max(self._due.get(client, now), now)
        early = due - now - self.slack
        if early > 0:
            return early
        self._due[client] = due + self.interval
        self._due.move_to_end(client)
        if len(self._due) > self.most:
            self._due.popitem(last=False)
        return 0

    def __len__(self) -> int:
        return len(self._due)


def address_of(client: tuple[str, int] | None) -> str:
    """Return what stands for a client without a key; one IPv6 household is one client."""
    host = client[0] if client else ""
    return host if "." in host else ":".join(host.split(":")[:4])
