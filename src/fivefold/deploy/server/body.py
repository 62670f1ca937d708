"""The body: refused by its announced length, counted by the bytes that come, and named by its hash."""

import hashlib

from fivefold.core.text import text
from fivefold.deploy.server.call import Call
from fivefold.deploy.server.refused import Refused


class Announced:
    """Refuses by the head alone: compressed bodies (415) and too long ones (413).

    Args:
        most: Bytes.
    """

    def __init__(self, most: int) -> None:
        self.most = most

    def __call__(self, call: Call) -> None:
        """Go on, or refuse."""
        if call.headers.get(b"content-encoding", b"identity") != b"identity":
            raise Refused(415, "malformed", text("Compressed bodies are not read."))
        length = call.headers.get(b"content-length", b"")
        if length.isdigit():
            check_size(int(length), self.most)


def check_size(n: int, most: int) -> None:
    """Refuse a body of `n` bytes, or more, with 413.

    Raises:
        Refused: It is too long.
    """
    if n > most:
        raise Refused(413, "size", text("A body may have {most} bytes.", most=most))


def named(call: Call) -> None:
    """Name the body by its SHA-256, so that a caller can prove what was asked."""
    call.digest = hashlib.sha256(call.body).hexdigest()
