"""A file that grows by whole lines, each sealed together with all lines before it (Haber and Stornetta, 1991).

A changed, missing, moved or added line breaks the chain. It cannot show that lines were cut off at the
end, nor that somebody wrote the whole file anew: keep it where training may only add to it.
"""

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from fivefold.core.atomic import naming, sync_folder
from fivefold.core.errors import BadInput, Damaged

BEGINNING = sha256(b"fivefold privacy ledger 1").hexdigest()


def read_chain(path: Path) -> tuple[Mapping[str, Any], ...]:
    """Return the entries of the file, none if it does not exist.

    Raises:
        Damaged: A line is not what was written, or the last one is cut off.
    """
    try:
        written = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise _unusable(path, error) from error
    *lines, rest = written.split(b"\n")
    entries: list[Mapping[str, Any]] = []
    seal = BEGINNING
    for number, line in enumerate(lines, start=1):
        entry, seal = _opened(line, seal, path, number)
        entries.append(entry)
    if rest:
        raise Damaged(
            "Line {line} of the privacy ledger is cut off: its writer was stopped before its run began.",
            where=str(path),
            mend="Make sure that no run is at work, keep a copy, and remove that last line.",
            line=len(lines) + 1,
        )
    return tuple(entries)


def append(path: Path, entry: Mapping[str, Any]) -> None:
    """Add an entry; when this returns, it is on the disk. The caller holds the lock of the file.

    Raises:
        Damaged: The file is not what was written.
        BadInput: It cannot be written.
    """
    seal = BEGINNING
    if read_chain(path):
        seal = str(json.loads(path.read_bytes().splitlines()[-1])["seal"])
    line = _canonical({"entry": entry, "seal": _sealed(seal, entry)}) + b"\n"
    is_new = not path.exists()
    try:
        with path.open("ab", buffering=0) as file, naming(path):
            file.write(line)
            os.fsync(file.fileno())
        if is_new:
            sync_folder(path.parent)
    except OSError as error:
        raise _unusable(path, error) from error


def _opened(line: bytes, seal: str, path: Path, number: int) -> tuple[Mapping[str, Any], str]:
    """Return the entry of a line and its seal, if it follows the line that bears `seal`."""
    try:
        told = json.loads(line)
        entry = told["entry"]
        new = _sealed(seal, entry)
        is_whole = _canonical({"entry": entry, "seal": new}) == line
    except (ValueError, TypeError, KeyError, RecursionError):
        is_whole, entry, new = False, {}, ""
    if not is_whole or not isinstance(entry, dict):
        raise Damaged(
            "Line {line} of the privacy ledger is not what was written.",
            where=str(path),
            mend="Restore it from a copy. Nobody knows any more what has been spent.",
            line=number,
        )
    return entry, new


def _sealed(before: str, entry: Mapping[str, Any]) -> str:
    return sha256(before.encode() + _canonical(entry)).hexdigest()


def _canonical(value: Any) -> bytes:
    told = json.dumps(
        value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )
    return told.encode()


def _unusable(path: Path, error: OSError) -> BadInput:
    return BadInput(
        "The privacy ledger cannot be used: {problem}.",
        where=str(path),
        mend="Give a file that can be read and written.",
        problem=error.strerror or str(error),
    )
