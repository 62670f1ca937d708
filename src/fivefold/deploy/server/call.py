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
Verb: TypeAlias = Literal["infer", "explain", "look"]


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Answer:
    """What the model says of some examples.

    Attributes:
        outputs: Logits or numbers, `(rows, outputs)`.
        scores: How suspicious the detector finds each, `(rows,)`; None without a detector.
    """

    outputs: np.ndarray[Any, np.dtype[np.float32]]
    scores: np.ndarray[Any, np.dtype[np.floating[Any]]] | None = None


@dataclass(eq=False, slots=True)
class Call:
    """A request, filled in by one guard after another.

    Attributes:
        scope: What the HTTP server knows of it.
        headers: Its headers by lower-case name; of a repeated one the last.
        verb: What is asked for.
        started: When it came, `time.perf_counter()`.
        client: Name of the key; "" if none was needed.
        body: What was sent.
        digest: SHA-256 of the body, in hexadecimal.
        is_read: Whether the body was read to its end.
        is_gone: Whether nobody waits for the answer any more.
        asked: The JSON part of the body.
        request: Its id.
        x: The examples.
        rows: How many; 0 until they are read.
        strings: Every string among the inputs.
        answer: What the model says.
        told: What `/explain` answers.
        flagged: Rows that the detector finds suspicious, if it only flags.
    """

    scope: Scope
    headers: Mapping[bytes, bytes]
    verb: Verb
    started: float
    client: str = ""
    body: bytes = b""
    digest: str = ""
    is_read: bool = False
    is_gone: bool = False
    asked: Mapping[str, Any] = field(default_factory=dict[str, Any])
    request: str = ""
    x: Tensor | None = None
    rows: int = 0
    strings: Sequence[str] = ()
    answer: Answer | None = None
    told: Mapping[str, Any] | None = None
    flagged: Sequence[int] = ()

    @property
    def language(self) -> Language:
        """What the caller reads."""
        return language_of(self.headers)


Guard: TypeAlias = Callable[[Call], None]
Done: TypeAlias = Callable[[Exception | None], None]
Core: TypeAlias = Callable[[Call, Done], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Way:
    """The layers around the model, from outside to inside and back.

    A guard lets a call pass by returning, or raises `Refused`. None of them waits, so none of them needs a
    coroutine of its own.

    Attributes:
        head: Guards that look at the head alone, before the body is read.
        body: Guards that look at what was asked.
        core: Asks the model; says when it has answered, or why it could not, in the event loop.
        answer: Guards that look at the answer.
    """

    head: tuple[Guard, ...]
    body: tuple[Guard, ...]
    core: Core
    answer: tuple[Guard, ...] = ()


def checked(ask: Core, guards: Sequence[Guard], then: Core) -> Core:
    """Return the core that goes on to `then` only if `guards` let the model's answer pass."""

    def core(call: Call, done: Done) -> None:
        def answered(error: Exception | None) -> None:
            try:
                if error is not None:
                    raise error
                for guard in guards:
                    guard(call)
                then(call, done)
            except Exception as problem:
                done(problem)

        ask(call, answered)

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
