"""Check an audit log from its first row to its last."""

import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fivefold.core.errors import Damaged
from fivefold.deploy.ledger.store import (
    COPY,
    Head,
    damaged,
    has_schema,
    next_head,
    read_only,
    rows_of,
    start_of,
)

FIRST = -(1 << 63)  # below every number a row can have
MOST = 20  # rows that are named


@dataclass(frozen=True, kw_only=True)
class LedgerReport:
    """What an audit log has shown.

    A chain alone shows that no row was changed, left out, added or moved. It cannot show that rows were
    cut off at its end, nor that somebody wrote the whole log anew: for that, a head noted down elsewhere
    must be among its hashes (`is_anchored`).

    Attributes:
        rows: How many rows there are.
        head: Hash of the last one.
        first: Time of the first row, seconds since 1970; None if there is none.
        last: Time of the last row.
        bundles: Hashes of the bundles that answered, in order of appearance.
        n_back: How many rows bear an earlier time than the row before: a clock was set, or requests crossed.
        back: The first of these rows, by number.
        is_anchored: Whether a head from elsewhere was given, and is in the chain.
        after_anchor: How many rows follow that head.
    """

    rows: int
    head: str
    first: float | None
    last: float | None
    bundles: tuple[str, ...]
    n_back: int
    back: tuple[int, ...]
    is_anchored: bool
    after_anchor: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON wants it."""
        return asdict(self) | {"bundles": list(self.bundles), "back": list(self.back)}


def verify_ledger(path: Path, head: str = "") -> LedgerReport:
    """Check every row of an audit log, also while a server writes it.

    Args:
        path: The file.
        head: Hash that `Ledger.flush` once returned and somebody kept elsewhere.

    Raises:
        BadInput: There is no such file.
        Damaged: A row was changed, is missing or is not in its place; names the first. Or `head` is not in it.
    """
    walk = _Walk(path, head)
    try:
        with closing(read_only(path)) as connection:
            connection.execute("BEGIN")  # one view of a log that grows
            walk.all(connection)
    except sqlite3.Error as error:
        raise damaged(path, walk.end.seq) from error
    return walk.report()


class _Walk:
    """What is known of the rows so far."""

    def __init__(self, path: Path, anchor: str) -> None:
        self.path, self.anchor = path, anchor.strip().lower()
        self.end = Head(0, "")
        self.times: list[float] = []
        self.bundles: dict[str, None] = {}
        self.back: list[int] = []
        self.n_back = 0
        self.anchored: int | None = None

    def all(self, connection: sqlite3.Connection) -> None:
        """Check the file as SQLite sees it, then the chain, which names the row."""
        if not has_schema(connection):
            raise damaged(self.path, 0)
        self.end = Head(0, start_of(connection))
        self._seek_anchor()
        for row in rows_of(connection, after=FIRST):
            self.end = next_head(self.path, row, self.end)
            self.bundles[row.bundle] = None
            self._time(row.time)
            self._seek_anchor()
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if found != ("ok",):
            raise damaged(self.path, self.end.seq)
        if self.anchor and self.anchored is None:
            raise Damaged(
                "No row has the given head: rows were cut off, or the whole log was written anew.",
                where=str(self.path),
                mend=COPY,
            )

    def report(self) -> LedgerReport:
        """Return what was found."""
        return LedgerReport(
            rows=self.end.seq,
            head=self.end.hash,
            first=self.times[0] if self.times else None,
            last=self.times[-1] if self.times else None,
            bundles=tuple(self.bundles),
            n_back=self.n_back,
            back=tuple(self.back),
            is_anchored=self.anchored is not None,
            after_anchor=0 if self.anchored is None else self.end.seq - self.anchored,
        )

    def _time(self, time: float | None) -> None:
        if time is None:
            return
        if self.times and time < self.times[-1]:
            self.n_back += 1
            if len(self.back) < MOST:
                self.back.append(self.end.seq)
        self.times[1:] = [time]

    def _seek_anchor(self) -> None:
        if self.anchor and self.end.hash == self.anchor:
            self.anchored = self.end.seq
