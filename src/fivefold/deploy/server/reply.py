"""What goes back over the wire."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from math import ceil
from typing import Any

from fivefold.core.text import Language
from fivefold.deploy.server.call import Send
from fivefold.deploy.server.refused import Refused

JSON = b"application/json"
Headers = Sequence[tuple[bytes, bytes]]
STARTS = {s.value: b"HTTP/1.1 %d %s\r\n" % (s.value, s.phrase.encode()) for s in HTTPStatus}
SAFE = b"x-content-type-options: nosniff\r\ncontent-length: "


async def send(
    to: Send,
    status: int,
    body: bytes,
    headers: Headers = (),
    *,
    kind: bytes = JSON,
    close: bool = False,
) -> None:
    """Send one whole answer; with `close` the connection ends after it."""
    told = [
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
        (b"x-content-type-options", b"nosniff"),
        *headers,
    ]
    if close:
        told.append((b"connection", b"close"))
    await to({"type": "http.response.start", "status": status, "headers": told})
    await to({"type": "http.response.body", "body": body})


def packed(status: int, body: bytes, headers: Headers, kind: bytes, *, close: bool) -> bytes:
    """Return one whole answer as it goes over the wire, for a single write."""
    more = b"".join([b"%s: %s\r\n" % pair for pair in headers])
    end = b"connection: close\r\n\r\n" if close else b"\r\n"
    start = STARTS[status] + b"content-type: " + kind + b"\r\n" + SAFE
    return b"%s%d\r\n%s%s%s" % (start, len(body), more, end, body)


def json_bytes(told: Mapping[str, Any]) -> bytes:
    """Return `told` as JSON; numbers that are not finite become null."""
    from pydantic_core import to_json

    return to_json(told, inf_nan_mode="null")


def refusal_headers(refused: Refused) -> list[tuple[bytes, bytes]]:
    """Return what a refusal says besides its body."""
    headers: list[tuple[bytes, bytes]] = []
    if refused.retry_after:
        headers.append((b"retry-after", b"%d" % max(1, ceil(refused.retry_after))))
    if refused.challenge:
        headers.append((b"www-authenticate", refused.challenge))
    return headers


def refusal_body(refused: Refused, language: Language) -> bytes:
    """Return the error object of the protocol, with the guard's name for machines."""
    return json_bytes({"error": refused.reason.words(language), "reason": refused.refusal})
