"""One row of the audit log, and the hash that chains it to the row before (Haber and Stornetta 1991)."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from fivefold.deploy.event import Event, Floats
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


NAMED = Row._fields[:-1]  # what the hash covers


class Waiting(NamedTuple):
    """An event without its inputs, which must not be held in memory."""

    event: tuple[float, str, str, str, int, str, float, int, str]
    outputs: Floats | None
    scores: Floats | None


def waiting(event: Event) -> Waiting:
    """Return what is kept of an event until it is written; fast, as the caller waits for it."""
    e = event
    plain = (e.time, e.request, e.client, e.verb, e.status, e.refusal, e.seconds, e.rows, e.digest)
    return Waiting(plain, e.outputs, e.scores)


def rows_after(
    seq: int, previous: str, told: Sequence[Waiting], classes: Sequence[str], bundle: str
) -> list[Row]:
    """Return the rows of events that follow row number `seq`, whose hash is `previous`."""
    predicted = _predicted([one.outputs for one in told], classes)
    rows: list[Row] = []
    for one, names in zip(told, predicted, strict=True):
        seq += 1
        row = _row(seq, one, names, bundle, previous)
        rows.append(row)
        previous = row.hash
    return rows


def _row(seq: int, told: Waiting, classes: str | None, bundle: str, previous: str) -> Row:
    time, request, client, verb, status, refusal, seconds, rows, digest = told.event
    content = (
        seq, _number(time), _legible(request), _legible(client), verb, int(status), refusal,
        _number(seconds), int(rows), classes, _highest(told.scores), _legible(digest), bundle, previous,
    )  # fmt: skip
    return Row(*content, _hash(dict(zip(NAMED, content, strict=True))))


def hash_of(row: Row) -> str:
    """Return the SHA-256 of everything in the row but the hash itself, the previous hash included."""
    return _hash(dict(zip(NAMED, row[:-1], strict=True)))


def _hash(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(content)).hexdigest()


def genesis(name: str) -> str:
    """Return the hash that stands before the first row of the log called `name`."""
    return hashlib.sha256(canonical({"log": name})).hexdigest()


def _predicted(outputs: Sequence[Floats | None], names: Sequence[str]) -> list[str | None]:
    """Return the predicted classes of each event; None if numbers are predicted or nothing was answered.

    One argmax for all of them.
    """
    fits = [o is not None and o.ndim == 2 and o.shape[1] == len(names) for o in outputs]
    held = [o for o, is_fit in zip(outputs, fits, strict=True) if is_fit and o is not None]
    if not names or not held:
        return [None] * len(outputs)
    best = iter(np.concatenate(held).argmax(1).tolist())
    words = [canonical([name]).decode() for name in names]  # most events hold one example
    return [_worded(best, len(o), names, words) if is_fit and o is not None else None
            for o, is_fit in zip(outputs, fits, strict=True)]  # fmt: skip


def _worded(best: Iterator[int], n: int, names: Sequence[str], words: Sequence[str]) -> str:
    if n == 1:
        return words[next(best)]
    return canonical([names[i] for i in islice(best, n)]).decode()


def _highest(scores: Floats | None) -> float | None:
    return None if scores is None or not len(scores) else _number(float(np.maximum.reduce(scores)))


def _number(value: float) -> float | None:
    """Return a number that JSON and SQL both know."""
    return float(value) if isfinite(value) else None


def _legible(told: str) -> str:
    """Return a string that can be written; half characters become question marks."""
    return told if told.isascii() else told.encode("utf-8", "replace").decode()
