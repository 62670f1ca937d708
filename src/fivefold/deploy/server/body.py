"""Reading a body: counted by the bytes that come, whatever Content-Length says."""

import hashlib
import time

from fivefold.core.text import text
from fivefold.deploy.server.call import Call, Inner
from fivefold.deploy.server.refused import Refused


class Gone(Exception):
    """The caller hung up."""


class Body:
    """Reads the body into memory, no further than the limit.

    Args:
        most: Bytes.
    """

    def __init__(self, most: int) -> None:
        self.most = most

    async def __call__(self, call: Call, inner: Inner) -> None:
        """Read, or refuse with 413 (too much) or 415 (compressed)."""
        if call.headers.get(b"content-encoding", b"identity") != b"identity":
            raise Refused(415, "malformed", text("Compressed bodies are not read."))
        call.body = await self._read(call)
        call.digest = hashlib.sha256(call.body).hexdigest()
        call.is_read, call.read_at = True, time.perf_counter()
        await inner(call)

    async def _read(self, call: Call) -> bytes:
        parts: list[bytes] = []
        n, is_more = 0, True
        while is_more:
            message = await call.receive()
            if message["type"] != "http.request":
                raise Gone
            part = message.get("body", b"")
            n += len(part)
            if n > self.most:
                raise Refused(413, "size", text("A body may have {most} bytes.", most=self.most))
            parts.append(part)
            is_more = message.get("more_body", False)
        return parts[0] if len(parts) == 1 else b"".join(parts)
