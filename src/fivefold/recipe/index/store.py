"""The file of the index: SQLite with a write-ahead log. What cannot be read is thrown away and made again."""

import sqlite3
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock

from fivefold.core.errors import Damaged
from fivefold.core.jsonfile import from_json, to_json
from fivefold.recipe.index.entry import Entry

FILE = "index.sqlite"
TABLE = "CREATE TABLE IF NOT EXISTS runs (name TEXT PRIMARY KEY, stamp TEXT NOT NULL, entry TEXT NOT NULL)"
PATIENCE = 10.0  # seconds


@contextmanager
def opened(workdir: Path) -> Generator[sqlite3.Connection]:
    """Yield a connection to the index of `workdir`, in a transaction that ends with the block."""
    with FileLock(workdir / ".index.lock", timeout=PATIENCE):
        try:
            connection = _connected(workdir / FILE)
        except sqlite3.DatabaseError:
            forget(workdir)
            connection = _connected(workdir / FILE)
        with closing(connection), connection:
            yield connection


def forget(workdir: Path) -> None:
    """Delete the index."""
    for name in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
        (workdir / name).unlink(missing_ok=True)


def put(connection: sqlite3.Connection, stamp: str, entry: Entry) -> None:
    """Write the entry of a run."""
    row = (entry.name, stamp, to_json(entry))
    connection.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", row)


def take_out(connection: sqlite3.Connection, name: str) -> None:
    """Delete the entry of a run."""
    connection.execute("DELETE FROM runs WHERE name = ?", (name,))


def entries(connection: sqlite3.Connection) -> Mapping[str, tuple[str, Entry]]:
    """Return every entry that can be read, with its stamp, by name."""
    found: dict[str, tuple[str, Entry]] = {}
    for name, stamp, told in connection.execute("SELECT name, stamp, entry FROM runs"):
        try:
            found[name] = (stamp, from_json(told, Entry))
        except (Damaged, TypeError):
            continue
    return found


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=PATIENCE)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(TABLE)
        connection.execute("SELECT name, stamp, entry FROM runs").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection
