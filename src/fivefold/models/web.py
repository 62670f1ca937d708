"""Questions over HTTP with the standard library: time limits, patience where it is asked for, no surprises."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from fivefold.core.errors import BadInput

SECONDS = 30.0
TRIES = 5
LONGEST_WAIT = 30.0
MOST_BYTES = 64_000_000
BUSY = (429, 503)


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


def ask(url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
    """Return the JSON that `url` answers; GET without a body, POST with one.

    A server that says it is busy (429, 503) is asked again after the time it names, five times in all.

    Raises:
        BadInput: No answer, an error, a redirect, too long an answer, or no JSON.
    """
    data = None if body is None else json.dumps(body).encode()
    told = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if data else {})
    for left in reversed(range(TRIES)):
        request = urllib.request.Request(url, data, told | dict(headers or {}))  # noqa: S310  the caller has checked the scheme
        try:
            with _opener().open(request, timeout=SECONDS) as response:
                content = response.read(MOST_BYTES + 1)
        except urllib.error.HTTPError as error:
            with error:
                if error.code not in BUSY or not left:
                    raise _failed(url, f"{error.code} {_start(error)}") from error
                time.sleep(_patience(error.headers.get("Retry-After", "")))
        except (OSError, ValueError) as error:
            raise _failed(url, str(error)) from error
        else:
            return _json(url, content)
    raise AssertionError  # the last try answers or raises


def _start(error: urllib.error.HTTPError) -> str:
    return error.read(200).decode(errors="replace")


def _patience(told: str) -> float:
    return min(float(told), LONGEST_WAIT) if told.isdigit() else 1.0


def _json(url: str, content: bytes) -> Any:
    if len(content) > MOST_BYTES:
        raise _failed(url, f"more than {MOST_BYTES} bytes")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _failed(url, f"no JSON ({error})") from error


def _failed(url: str, problem: str) -> BadInput:
    return BadInput(
        "The endpoint does not answer as it should: {problem}.",
        where=url,
        mend="Check the address, the key and whether the server is up.",
        problem=problem[:300],
    )
