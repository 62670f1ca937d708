"""What goes back over the wire."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from fivefold.core.text import Language
from fivefold.deploy.server.call import Send
from fivefold.deploy.server.refused import Refused

JSON = b"application/json"


async def send(
    to: Send,
    status: int,
    body: bytes,
    headers: Sequence[tuple[bytes, bytes]] = (),
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
