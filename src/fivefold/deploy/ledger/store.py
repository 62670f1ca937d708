"""The file of the audit log: SQLite with a write-ahead log, where each commit reaches the disk."""

import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from fivefold.core.errors import BadInput, Damaged
from fivefold.deploy.ledger.row import Row, genesis, hash_of

ABOUT = "CREATE TABLE about (name TEXT NOT NULL)"
ROWS = (
    "CREATE TABLE rows (seq INTEGER PRIMARY KEY, time REAL, request TEXT NOT NULL, client TEXT NOT NULL, "
    "verb TEXT NOT NULL, status INTEGER NOT NULL, refusal TEXT NOT NULL, seconds REAL, "
    "rows INTEGER NOT NULL, classes TEXT, score REAL, digest TEXT NOT NULL, bundle TEXT NOT NULL, "
    "previous TEXT NOT NULL, hash TEXT NOT NULL)"
)
INSERT = "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
COPY = "Restore it from a copy; do not go on with this one."
TAIL = 1_000  # rows that are checked when a log is opened


class Head(NamedTuple):
    """The end of a chain: number and hash of its last row, 0 and the genesis if there is none."""

    seq: int
    hash: str


def opened(path: Path) -> sqlite3.Connection:
    """Return a connection that writes the log at `path`, made if it does not exist."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # who asked what is not for everybody
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        _made(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def read_only(path: Path) -> sqlite3.Connection:
    """Return a connection that cannot write.

    Raises:
        BadInput: There is no such file.
    """
    if not path.is_file():
        raise BadInput(
            "There is no audit log here.",
            where=str(path),
            mend="Give the file that the server writes.",
        )
    address = path.resolve().as_uri()
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError:
        connection.close()
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise
        connection = sqlite3.connect(
            f"{address}?mode=ro&immutable=1", uri=True
        )  # a medium nobody can write
    return connection


def append(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Write rows in one transaction; when this returns they are on the disk."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.executemany(INSERT, rows)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def start_of(connection: sqlite3.Connection) -> str:
    """Return the hash before the first row."""
    names = connection.execute("SELECT name FROM about").fetchall()
    if len(names) != 1 or not isinstance(names[0][0], str):
        raise sqlite3.DatabaseError("about")
    return genesis(names[0][0])


def rows_of(connection: sqlite3.Connection, after: int = 0) -> Iterator[Row]:
    """Yield the rows whose number is above `after`, in their order."""
    for found in connection.execute("SELECT * FROM rows WHERE seq > ? ORDER BY seq", (after,)):
        yield Row(*found)


def head_of(connection: sqlite3.Connection) -> Head:
    """Return the last row's number and hash, unchecked."""
    last = connection.execute("SELECT seq, hash FROM rows ORDER BY seq DESC LIMIT 1").fetchone()
    return Head(*last) if last else Head(0, start_of(connection))


def has_schema(connection: sqlite3.Connection) -> bool:
    """Return whether the file holds our two tables and nothing else: no trigger, no view."""
    found = connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
    return found == [(ABOUT,), (ROWS,)]


def check_tail(path: Path, connection: sqlite3.Connection) -> Head:
    """Check the end of a log before anything is added, and return its head.

    Raises:
        Damaged: Its last rows are no chain.
    """
    try:
        if not has_schema(connection):
            raise damaged(path, 0)
        last = head_of(connection)
        after = max(0, last.seq - TAIL)
        return checked(path, list(rows_of(connection, after)), _before(connection, after))
    except sqlite3.DatabaseError as error:
        raise damaged(path, 0) from error


def checked(path: Path, rows: Sequence[Row], head: Head) -> Head:
    """Check that `rows` go on from `head`, and return the new head.

    Raises:
        Damaged: One does not; names it.
    """
    for row in rows:
        head = next_head(path, row, head)
    return head


def next_head(path: Path, row: Row, head: Head) -> Head:
    """Check that `row` follows `head`."""
    if row.seq != head.seq + 1:
        raise Damaged(
            "Row {row} of the audit log is missing.", where=str(path), mend=COPY, row=head.seq + 1
        )
    try:
        is_same = row.previous == head.hash and row.hash == hash_of(row)
    except (TypeError, ValueError):
        is_same = False
    if not is_same:
        raise Damaged(
            "Row {row} of the audit log is not as it was written.",
            where=str(path),
            mend=COPY,
            row=row.seq,
        )
    return Head(row.seq, row.hash)


def damaged(path: Path, row: int) -> Damaged:
    """Return the error for a file that cannot be read as a log beyond `row`."""
    return Damaged(
        "The audit log cannot be read beyond row {row}.", where=str(path), mend=COPY, row=row
    )


def _before(connection: sqlite3.Connection, seq: int) -> Head:
    if seq == 0:
        return Head(0, start_of(connection))
    found = connection.execute("SELECT hash FROM rows WHERE seq = ?", (seq,)).fetchone()
    return Head(seq, found[0] if found else "")


def _made(connection: sqlite3.Connection) -> None:
    """Make the tables of a new log, all in one transaction."""
    with closing(connection.cursor()) as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        try:
            if not cursor.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                cursor.execute(ABOUT)
                cursor.execute(ROWS)
                cursor.execute("INSERT INTO about VALUES (?)", (secrets.token_hex(16),))
        finally:
            cursor.execute("COMMIT")
