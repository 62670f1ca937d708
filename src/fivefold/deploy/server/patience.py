"""How long, and how much, a caller may take to say what it wants (against slow heads: "slowloris")."""

import asyncio
from collections.abc import Callable

from fivefold.deploy.server.settings import Settings

MOST_HEAD = 32_768  # bytes
TOO_SLOW, TOO_LONG = b"408 Request Timeout", b"431 Request Header Fields Too Large"


class Patience:
    """Watches the head and the body of each request on one connection, and hangs up.

    A request that comes in one piece, as most do, never sets a clock.

    Args:
        transport: The connection.
        loop: The event loop.
        settings: The time for a head and for a body.
        give_up: Told that a body takes too long.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        settings: Settings,
        give_up: Callable[[], None],
    ) -> None:
        self.transport = transport
        self.loop = loop
        self.settings = settings
        self.give_up = give_up
        self.n = 0
        self._is_head = True
        self._timer: asyncio.TimerHandle | None = None
        self._expect()

    def before(self, data: bytes) -> None:
        """Note what has come, before it is read."""
        if self._is_head:
            self.n += len(data)

    def after(self) -> None:
        """Start the clock if what was read is not the end of a request; hang up on a head too long."""
        if self._is_head and self.n > MOST_HEAD:
            self._hang_up(TOO_LONG)
        elif self._timer is None and (self.n or not self._is_head):
            self._expect()

    def head_ends(self) -> None:
        """The head is complete."""
        self._is_head = False
        self.forget()

    def request_ends(self) -> None:
        """The body is complete; another head may follow."""
        self._is_head, self.n = True, 0
        self.forget()

    def forget(self) -> None:
        """Stop the clock."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expect(self) -> None:
        if self._is_head:
            self._timer = self.loop.call_later(self.settings.head_seconds, self._hang_up, TOO_SLOW)
        else:
            self._timer = self.loop.call_later(self.settings.body_seconds, self.give_up)

    def _hang_up(self, status: bytes) -> None:
        if not self.transport.is_closing():
            end = b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            self.transport.write(b"HTTP/1.1 " + status + end)
            self.transport.close()
