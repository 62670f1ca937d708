"""Keep the index in step with the folders, which are the truth."""

import sqlite3
from dataclasses import replace
from pathlib import Path

from filelock import Timeout

from fivefold.recipe.index.entry import Entry, Judge, entry_of, is_run, size_of
from fivefold.recipe.index.store import entries, forget, opened, put, take_out


def note(folder: Path) -> bool:
    """Write a run into the index beside it; return whether that was possible."""
    try:
        stamp = _stamp(folder)
        with opened(folder.parent) as connection:
            put(connection, stamp, entry_of(folder))
    except (OSError, sqlite3.Error, Timeout):
        return False
    return True


def indexed(workdir: Path, judge: Judge | None = None) -> tuple[Entry, ...]:
    """Return what there is to say of each run below `workdir`, by name; only what has changed is read.

    Args:
        workdir: Folder of the run folders.
        judge: Whether a run passes the policy in its recipe; None leaves that open.
    """
    folders = {path.name: path for path in sorted(workdir.glob("*")) if is_run(path)}
    if not folders:
        return ()
    with opened(workdir) as connection:
        known = entries(connection)
        for name in known.keys() - folders.keys():
            take_out(connection, name)
        found: list[Entry] = []
        for name, folder in folders.items():
            stamp = _stamp(folder) + (" judged" if judge else "")
            old = known.get(name)
            is_fresh = old is not None and old[0] == stamp and old[1].state == "whole"
            entry = replace(old[1], size=size_of(folder)) if old and is_fresh else entry_of(folder, judge)  # fmt: skip
            if old is None or old != (stamp, entry):
                put(connection, stamp, entry)
            found.append(entry)
    return tuple(found)


def reindex(workdir: Path, judge: Judge | None = None) -> tuple[Entry, ...]:
    """Throw the index away and read every folder again."""
    forget(workdir)
    return indexed(workdir, judge)


def _stamp(folder: Path) -> str:
    """Return what changes whenever the record of a run is written."""
    try:
        state = (folder / "run.json").stat()
    except FileNotFoundError:
        return ""
    return f"{state.st_mtime_ns} {state.st_size}"
