"""Every private run that was ever begun on the rows of some people, and what all may spend together.

An entry is on the disk before its run reads a row, so runs that were killed or thrown away are counted as
well. Where the losses of choosing among runs are looked for, this is the number of runs.
"""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isinf
from pathlib import Path
from typing import Any

from fivefold.core.beside import located
from fivefold.core.data import Batch
from fivefold.core.errors import Damaged, LimitReached
from fivefold.core.fingerprint import of_batch, of_json
from fivefold.core.limits import Positive, Probability
from fivefold.core.lineage import Claim, Lineage, Record
from fivefold.privacy.chain import append, read_chain
from fivefold.privacy.spent import spent_by

PATIENCE = 60.0  # seconds to wait for another process that is writing its entry


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """A file that counts all private runs on the rows of the same people, whatever became of them.

    Use one file for all data sets that hold the same people: their losses are added up. A run that goes on
    after an interruption is begun again, and counted again. Plain training writes nothing here.

    Attributes:
        file: The file, relative to the recipe; made by the first run.
        epsilon: What all runs together may spend; a run that would spend more is refused before it reads
            any row. None only counts.
        delta: Probability with which the bound may fail. None is the smallest that a run declared.
    """

    file: str = "privacy.ledger"
    epsilon: Positive | None = None
    delta: Probability | None = None

    def begin(self, claim: Claim, train: Batch) -> None:
        """Write down that a run with this claim begins, before it reads `train`.

        Raises:
            LimitReached: It would spend more than there is, or another process holds the file.
            Damaged: The file is not what was written.
            BadInput: The file cannot be read or written.
        """
        path = located(self.file)
        with _alone(path):
            records = recorded(path)
            self._check(records, Record("", {}, "", claim), path)
            entry = {
                "number": len(records) + 1,
                "data": of_batch(train),
                "privacy": dict(claim.privacy),
            }
            append(path, entry)

    def records(self) -> Lineage:
        """Return what was begun, as if all had been steps of one model.

        Raises:
            Damaged: The file is not what was written.
            BadInput: The file cannot be read.
        """
        return recorded(located(self.file))

    def fingerprint(self) -> str:
        """Return a hash of what was begun so far."""
        return of_json([_identity(r) for r in self.records()])

    def spent(self) -> float:
        """Return an upper bound on the epsilon of all runs so far together."""
        return _epsilon(self.records(), self.delta)

    def _check(self, records: Lineage, new: Record, path: Path) -> None:
        if self.epsilon is None:
            return
        after = _epsilon((*records, new), self.delta)
        if after > self.epsilon:
            before = _epsilon(records, self.delta)
            raise LimitReached(
                "This run would bring epsilon to {after}; {n} runs have spent {before}, and {most} is all there is.",
                where=str(path),
                mend="No row was read. Ask for less (more noise or fewer steps), or stop here.",
                after=_told(after), before=_told(before), n=len(records), most=self.epsilon,
            )  # fmt: skip


def begin(ledger: Ledger | None, claim: Claim, train: Batch) -> None:
    """Write down that a run begins, if it has a ledger; see `Ledger.begin`."""
    if ledger is not None:
        ledger.begin(claim, train)


def recorded(path: Path) -> Lineage:
    """Return the runs in a ledger; see `Ledger.records`."""
    return tuple(_record(entry, path) for entry in read_chain(path))


def without(records: Lineage, taken: Lineage) -> Lineage:
    """Return `records` less one for each of `taken` that claims the same of the same rows."""
    n_taken = Counter(_identity(r) for r in taken)
    left: list[Record] = []
    for record in records:
        if n_taken[_identity(record)] > 0:
            n_taken[_identity(record)] -= 1
        else:
            left.append(record)
    return tuple(left)


def _identity(record: Record) -> str:
    return of_json([record.data, dict(record.claim.privacy)])


def _record(entry: Any, path: Path) -> Record:
    number, data, privacy = (entry.get(k) for k in ("number", "data", "privacy"))
    if not (isinstance(number, int) and isinstance(data, str) and isinstance(privacy, dict)):
        raise Damaged(
            "Line {line} of the privacy ledger is not what was written.",
            where=str(path),
            mend="Restore it from a copy. Nobody knows any more what has been spent.",
            line=str(number),
        )
    return Record(f"{path.name}:{number}", {}, data, Claim(privacy=privacy))


def _epsilon(records: Lineage, delta: float | None) -> float:
    if not records:
        return 0.0
    spent = spent_by(records)
    return spent.bound(delta or min([p.delta for p in spent.all], default=1.0)).epsilon


def _told(epsilon: float) -> str:
    return "∞" if isinf(epsilon) else f"{epsilon:.4g}"


@contextmanager
def _alone(path: Path) -> Generator[None]:
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path.with_name(f".{path.name}.lock")).acquire(timeout=PATIENCE):
            yield
    except Timeout as error:
        raise LimitReached(
            "Another process holds the privacy ledger.",
            where=str(path),
            mend="Wait until it has begun its run.",
        ) from error
