"""A sink that writes every event into a hash-chained log, in groups, from a thread of its own."""

import sqlite3
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Condition, Lock, Thread
from threading import Event as Flag
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from fivefold.core.errors import Damaged, LimitReached
from fivefold.deploy.event import Event
from fivefold.deploy.ledger.row import Row, Waiting, rows_after, waiting
from fivefold.deploy.ledger.store import Head, append, check_tail, damaged, head_of, opened

GATHER = 0.01  # seconds in which events gather for one commit
AGAIN = 0.2  # seconds between two tries on a disk that refuses
MOST = 1_000  # rows in one commit
ROOM = 20_000  # events that may wait before requests are refused
SPARE = 4  # times ROOM that is never exceeded: those being answered when it filled up


class Ledger:
    """The audit log, a `Sink`. Costs its caller some microseconds; rows reach the disk within `GATHER` and a commit.

    A row is acknowledged when `flush` returns after it was given. A killed process may lose the rows that
    were not; those that were are in the file and chained. While the disk refuses, rows wait in memory and
    `is_full` tells the server to let nobody in; they are written when the disk works again.

    Args:
        path: The file; made if it does not exist, continued if it does.
        bundle: Hash of the bundle whose answers are recorded.
        classes: Names of the classes; empty if numbers are predicted, which are not recorded.
        room: How many events may wait.

    Raises:
        Damaged: The log that is there is no whole chain at its end.
        LimitReached: Another process writes it.
    """

    def __init__(
        self, path: Path, bundle: str = "", classes: Sequence[str] = (), *, room: int = ROOM
    ) -> None:
        self.path, self.bundle, self.classes, self.room = path, bundle, tuple(classes), room
        self._waiting: deque[Waiting] = deque()
        self._lock, self._wake = Lock(), Flag()
        self._change = Condition()
        self._put = self._written = 0
        self._failure: Exception | None = None
        self._is_closing = self._is_open = False
        self._alone = FileLock(path.with_name(f".{path.name}.lock"))
        self._thread = Thread(target=self._run, name="fivefold-ledger", daemon=True)

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._take()
        try:
            self._connection = self._connected()
            self._head = check_tail(self.path, self._connection)
        except BaseException:
            self._alone.release()
            raise
        self._is_open = True
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what waits and close; raises if it cannot be written."""
        self.close()

    def __call__(self, *events: Event) -> None:
        """Take events down.

        Raises:
            LimitReached: There is no room, although `is_full` has said so for long; none is taken.
        """
        told = [waiting(event) for event in events]
        with self._lock:
            if not self._is_open or len(self._waiting) + len(told) > SPARE * self.room:
                raise _no_room(self.path)
            self._waiting.extend(told)
            self._put += len(told)
        if not self._wake.is_set():
            self._wake.set()

    @property
    def is_full(self) -> bool:
        """Whether no further request may be let in, because it could not be recorded."""
        return self._failure is not None or len(self._waiting) >= self.room

    @property
    def head(self) -> str:
        """Hash of the last row on the disk: kept elsewhere, it proves later that no row was cut off."""
        return self._head.hash

    def flush(self, seconds: float | None = None) -> str:
        """Wait until everything given so far is on the disk, and return the head.

        Args:
            seconds: How long to wait; without end if None, unless the disk refuses.

        Raises:
            LimitReached: The disk refuses, or the time is over; the rows still wait.
        """
        wanted = self._put
        self._wake.set()
        with self._change:
            self._change.wait_for(
                lambda: self._written >= wanted or self._failure is not None, seconds
            )
            if self._written >= wanted:
                return self._head.hash
        raise _not_written(self.path, wanted - self._written, self._failure)

    def close(self) -> None:
        """Write what waits, and let go of the file.

        Raises:
            LimitReached: The disk refuses; says how many rows are lost.
        """
        with self._lock:
            if not self._is_open:
                return
            self._is_open = False
        self._is_closing = True
        self._wake.set()
        self._thread.join()
        with suppress(sqlite3.Error):
            self._connection.close()
        self._alone.release()
        if self._written < self._put:
            raise _not_written(self.path, self._put - self._written, self._failure)

    def _take(self) -> None:
        try:
            self._alone.acquire(timeout=0)
        except Timeout as error:
            raise LimitReached(
                "Another process writes this audit log.",
                where=str(self.path),
                mend="Give each server a log of its own.",
            ) from error

    def _connected(self) -> sqlite3.Connection:
        try:
            return opened(self.path)
        except sqlite3.OperationalError as error:
            raise _not_written(self.path, 0, error) from error
        except sqlite3.DatabaseError as error:
            raise damaged(self.path, 0) from error

    def _run(self) -> None:
        """Write what waits, in groups, until there is nothing more to come."""
        while True:
            self._wake.wait()
            if not self._is_closing:
                Flag().wait(GATHER)
            self._wake.clear()
            try:
                self._write_waiting()
            except (
                Exception
            ) as error:  # whatever it is, the rows still wait and requests are refused
                self._told(error)
                if self._is_closing:
                    return
                Flag().wait(AGAIN)
                self._wake.set()
            if self._is_closing and not self._waiting:
                return

    def _write_waiting(self) -> None:
        if self._failure is not None:
            self._reopen()
        while self._waiting:
            rows = self._rows()
            append(self._connection, rows)
            self._is_written(len(rows), Head(rows[-1].seq, rows[-1].hash))
        self._told(None)

    def _rows(self) -> list[Row]:
        """Return the next rows; they stay in the queue until they are on the disk."""
        told = [self._waiting[i] for i in range(min(MOST, len(self._waiting)))]
        return rows_after(self._head.seq, self._head.hash, told, self.classes, self.bundle)

    def _reopen(self) -> None:
        """Open the file again after a failure; a commit that was thought to have failed may be there."""
        with suppress(sqlite3.Error):
            self._connection.close()
        self._connection = opened(self.path)
        there = head_of(self._connection)
        ours = [Head(r.seq, r.hash) for r in self._rows()]
        if there in ours:
            self._is_written(ours.index(there) + 1, there)
        elif there != self._head:
            raise Damaged(
                "The audit log was changed while it was written.",
                where=str(self.path),
                mend="Stop whoever else writes to it, and begin a new one.",
            )

    def _is_written(self, n: int, head: Head) -> None:
        with self._lock:
            for _ in range(n):
                self._waiting.popleft()
        with self._change:
            self._head = head
            self._written += n
            self._change.notify_all()

    def _told(self, error: Exception | None) -> None:
        with self._change:
            self._failure = error
            self._change.notify_all()


def _no_room(path: Path) -> LimitReached:
    return LimitReached(
        "The audit log has no room for another row.",
        where=str(path),
        mend="Ask again later; if it stays so, look at the disk.",
    )


def _not_written(path: Path, n: int, error: Exception | None) -> LimitReached:
    return LimitReached(
        "The audit log cannot be written ({problem}); rows that wait: {n}.",
        where=str(path),
        mend="Make room on the disk, or mend its permissions; what was acknowledged is whole.",
        problem=str(error or "time"),
        n=n,
    )
