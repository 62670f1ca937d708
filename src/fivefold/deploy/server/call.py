"""One request on its way inwards through the guards, and back out."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from torch import Tensor

from fivefold.core.text import Language

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Answer:
    """What the model says of some examples.

    Attributes:
        outputs: Logits or numbers, `(rows, outputs)`.
        scores: How suspicious the detector finds each, `(rows,)`; None without a detector.
    """

    outputs: np.ndarray[Any, np.dtype[np.float32]]
    scores: np.ndarray[Any, np.dtype[np.float64]] | None = None


@dataclass(eq=False, slots=True)
class Call:
    """A request, filled in by one guard after another.

    Attributes:
        scope: What the HTTP server knows of it.
        receive: Where its body comes from.
        headers: Its headers by lower-case name; of a repeated one the last.
        verb: What is asked for.
        started: When it came, `time.perf_counter()`.
        client: Name of the key; "" if none was needed.
        body: What was sent.
        digest: SHA-256 of the body, in hexadecimal.
        is_read: Whether the body was read to its end.
        read_at: When it was, `time.perf_counter()`.
        asked: The JSON part of the body.
        request: Its id.
        x: The examples.
        strings: Every string among the inputs.
        answer: What the model says.
        told: What `/explain` answers.
        flagged: Rows that the detector finds suspicious, if it only flags.
    """

    scope: Scope
    receive: Receive
    headers: Mapping[bytes, bytes]
    verb: Literal["infer", "explain"]
    started: float
    client: str = ""
    body: bytes = b""
    digest: str = ""
    is_read: bool = False
    read_at: float = 0.0
    asked: Mapping[str, Any] = field(default_factory=dict[str, Any])
    request: str = ""
    x: Tensor | None = None
    strings: Sequence[str] = ()
    answer: Answer | None = None
    told: Mapping[str, Any] | None = None
    flagged: Sequence[int] = ()

    @property
    def language(self) -> Language:
        """What the caller reads."""
        return language_of(self.headers)


Inner: TypeAlias = Callable[[Call], Awaitable[None]]
Guard: TypeAlias = Callable[[Call, Inner], Awaitable[None]]


def onion(guards: Sequence[Guard], core: Inner) -> Inner:
    """Return `core` inside all `guards`, the first outermost."""
    for guard in reversed(guards):
        core = _around(guard, core)
    return core


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Return the headers by lower-case name."""
    return dict(scope["headers"])


def language_of(headers: Mapping[bytes, bytes]) -> Language:
    """Return the first language of Accept-Language that is spoken here."""
    for part in headers.get(b"accept-language", b"")[:200].lower().split(b","):
        tag = part.strip()[:2]
        if tag in (b"zh", b"en"):
            return "zh" if tag == b"zh" else "en"
    return "en"


def _around(guard: Guard, inner: Inner) -> Inner:
    return lambda call: guard(call, inner)  # no coroutine of its own: there are eight layers
