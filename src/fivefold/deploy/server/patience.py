"""How long, and how much, a caller may take to say what it wants (against slow heads: "slowloris")."""

import asyncio

from fivefold.deploy.server.settings import Settings

MOST_HEAD = 32_768  # bytes
TOO_SLOW, TOO_LONG = b"408 Request Timeout", b"431 Request Header Fields Too Large"


class Patience:
    """Watches the head of each request on one connection, and hangs up.

    Args:
        transport: The connection.
        loop: The event loop.
        settings: The time for a head.
    """

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, settings: Settings
    ) -> None:
        self.transport = transport
        self.loop = loop
        self.seconds = settings.head_seconds
        self.n = 0
        self._is_inside = True
        self._timer: asyncio.TimerHandle | None = None
        self._expect()

    def before(self, data: bytes) -> None:
        """Note what has come, before it is read."""
        if self._is_inside:
            self.n += len(data)
            self._expect()

    def after(self) -> None:
        """Hang up if what was read is still no whole head, and too long for one."""
        if self._is_inside and self.n > MOST_HEAD:
            self._hang_up(TOO_LONG)

    def head_ends(self) -> None:
        """The head is complete."""
        self._is_inside = False
        self.forget()

    def request_ends(self) -> None:
        """The body is complete; another head may follow."""
        self._is_inside, self.n = True, 0

    def forget(self) -> None:
        """Stop the clock."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expect(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.seconds, self._hang_up, TOO_SLOW)

    def _hang_up(self, status: bytes) -> None:
        if not self.transport.is_closing():
            end = b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            self.transport.write(b"HTTP/1.1 " + status + end)
            self.transport.close()
