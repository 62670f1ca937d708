"""Questions over HTTP with the standard library: time limits, patience where it is asked for, no surprises."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

from fivefold.core.errors import BadInput
from fivefold.core.limits import Count, Positive

TRIES = 5
LONGEST_WAIT = 30.0
MOST_BYTES = 64_000_000
BUSY = (429, 503)
MENDS = {
    401: "Name the file with your key: --token-file FILE.",
    403: "A guard of the server refuses these inputs, or your key may not ask. A server of Fivefold lets them pass with --detector flag.",
    413: "Ask about fewer inputs at a time: --batch 8.",
    422: "The server knows a rule that these inputs break: a range, a category, or whole numbers.",
}
OTHERWISE = "Check the address, the key and whether the server is up."


@dataclass(frozen=True, kw_only=True)
class Access:
    """How a server is asked.

    Attributes:
        request: For a protocol of its own, the JSON to send, with `$ROWS`, `$RECORDS` or `$ROW` where the
            inputs belong; empty for the Open Inference Protocol.
        answer: Where the answers stand in what comes back, such as `outputs.0.probabilities`; `*` is
            each element of a list.
        headers: Sent with every question; keys are among them, so they are never shown.
        size: Inputs in one question.
        seconds: How long one question may take.
    """

    request: str = ""
    answer: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    size: Count = 64
    seconds: Positive = 30.0


def _opener() -> urllib.request.OpenerDirector:
    """Return what follows no redirect and no proxy: a question must not be carried to somebody else."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def ask(url: str, access: Access, body: Any = None) -> Any:
    """Return the JSON that `url` answers; GET without a body, POST with one.

    A server that says it is busy (429, 503) is asked again after the time it names, five times in all.

    Raises:
        BadInput: No answer, an error, a redirect, too long an answer, or no JSON.
    """
    data = None if body is None else json.dumps(body).encode()
    told = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if data else {})
    for left in reversed(range(TRIES)):
        try:
            request = urllib.request.Request(url, data, told | dict(access.headers))  # noqa: S310  the caller has checked the scheme
            with _opener().open(request, timeout=access.seconds) as response:
                content = response.read(MOST_BYTES + 1)
        except urllib.error.HTTPError as error:
            with error:
                if error.code not in BUSY or not left:
                    raise _failed(url, f"{error.code} {_start(error)}", error.code) from error
                time.sleep(_patience(error.headers.get("Retry-After", "")))
        except (OSError, ValueError, HTTPException) as error:
            raise _failed(url, str(error)) from error
        else:
            return _json(url, content)
    raise AssertionError  # the last try answers or raises


def _start(error: urllib.error.HTTPError) -> str:
    return error.read(200).decode(errors="replace")


def _patience(told: str) -> float:
    return min(float(told), LONGEST_WAIT) if told.isdecimal() else 1.0


def _json(url: str, content: bytes) -> Any:
    if len(content) > MOST_BYTES:
        raise _failed(url, f"more than {MOST_BYTES} bytes")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _failed(url, f"no JSON ({error})") from error


def _failed(url: str, problem: str, code: int = 0) -> BadInput:
    return BadInput(
        "The endpoint does not answer as it should: {problem}.",
        where=url,
        mend=MENDS.get(code, OTHERWISE),
        problem=problem[:300],
    )
