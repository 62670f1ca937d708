"""One row of the audit log, and the hash that chains it to the row before (Haber and Stornetta 1991)."""

import hashlib
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

from torch import Tensor

from fivefold.deploy.event import Event
from fivefold.security.manifest import canonical


class Row(NamedTuple):
    """One request, as it is written.

    The inputs are never in it. `classes` are the names of what was predicted, as a JSON list; None where
    numbers were predicted or nothing was answered. `score` is the highest of the detector's.
    """

    seq: int
    time: float | None
    request: str
    client: str
    verb: str
    status: int
    refusal: str
    seconds: float | None
    rows: int
    classes: str | None
    score: float | None
    digest: str
    bundle: str
    previous: str
    hash: str


class Waiting(NamedTuple):
    """An event without its inputs, which must not be held in memory."""

    event: tuple[float, str, str, str, int, str, float, int, str]
    outputs: Tensor | None
    scores: Tensor | None


def waiting(event: Event) -> Waiting:
    """Return what is kept of an event until it is written; fast, as the caller waits for it."""
    e = event
    plain = (e.time, e.request, e.client, e.verb, e.status, e.refusal, e.seconds, e.rows, e.digest)
    return Waiting(plain, e.outputs, e.scores)


def row_of(seq: int, told: Waiting, classes: Sequence[str], bundle: str, previous: str) -> Row:
    """Return the row of an event."""
    time, request, client, verb, status, refusal, seconds, rows, digest = told.event
    content: dict[str, Any] = {
        "seq": seq,
        "time": _number(time),
        "request": _legible(request),
        "client": _legible(client),
        "verb": verb,
        "status": int(status),
        "refusal": refusal,
        "seconds": _number(seconds),
        "rows": int(rows),
        "classes": _classes(told.outputs, classes),
        "score": _highest(told.scores),
        "digest": _legible(digest),
        "bundle": bundle,
        "previous": previous,
    }
    return Row(**content, hash=_hash(content))


def hash_of(row: Row) -> str:
    """Return the SHA-256 of everything in the row but the hash itself, the previous hash included."""
    content = row._asdict()
    del content["hash"]
    return _hash(content)


def _hash(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(content)).hexdigest()


def genesis(name: str) -> str:
    """Return the hash that stands before the first row of the log called `name`."""
    return hashlib.sha256(canonical({"log": name})).hexdigest()


def _classes(outputs: Tensor | None, names: Sequence[str]) -> str | None:
    """Return the predicted classes; None if numbers are predicted or nothing was answered."""
    if outputs is None or not names or outputs.ndim != 2 or outputs.shape[1] != len(names):
        return None
    return canonical([names[i] for i in outputs.argmax(1).tolist()]).decode()


def _highest(scores: Tensor | None) -> float | None:
    return None if scores is None or not len(scores) else _number(float(scores.max()))


def _number(value: float) -> float | None:
    """Return a number that JSON and SQL both know."""
    return float(value) if isfinite(value) else None


def _legible(told: str) -> str:
    """Return a string that can be written; half characters become question marks."""
    return told if told.isascii() else told.encode("utf-8", "replace").decode()
