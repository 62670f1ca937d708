"""Delete runs and what killed processes have left, so that a kill leaves a run whole or gone."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from fivefold.core.atomic import sync_folder
from fivefold.core.errors import BadInput, FivefoldError, LimitReached
from fivefold.recipe.folder import read_run
from fivefold.recipe.index.entry import is_run
from fivefold.recipe.index.store import opened, take_out

LEFT = re.compile(r"\..+\.(\d+)\.(part|old)")  # how half written and half deleted things are called


def check_run(folder: Path) -> None:
    """Refuse what is not the folder of a run.

    Raises:
        BadInput: It is none.
    """
    if not is_run(folder):
        raise BadInput(
            "This is not the folder of a run.",
            where=str(folder),
            mend='"fivefold runs ls" lists the runs.',
        )


def remove(folder: Path) -> None:
    """Delete a run: it is moved aside in one step, then deleted; `gc` ends what a kill interrupts.

    Raises:
        BadInput: It is no run.
        LimitReached: Another process works on it.
    """
    folder = folder.parent.resolve() / folder.name
    check_run(folder)
    lock = folder.with_name(f".{folder.name}.lock")
    try:
        with FileLock(lock, timeout=0):
            old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
            folder.rename(old)
            sync_folder(folder.parent)
            with opened(folder.parent) as connection:
                take_out(connection, folder.name)
            shutil.rmtree(old)
            lock.unlink(missing_ok=True)  # who waits for it makes a new one
    except Timeout as error:
        raise LimitReached(
            "Another process is working on this run.", where=str(lock), mend="Wait for it."
        ) from error


def leftovers(workdir: Path) -> tuple[Path, ...]:
    """Return what killed processes have left below `workdir` and nobody will use again."""
    found = [path for path in workdir.glob(".*") if _is_left(path) or _is_orphan(path)]
    for folder in workdir.glob("*"):
        if is_run(folder) and not _is_busy(folder):
            found += _inside(folder)
    return tuple(sorted(found))


def sweep(paths: tuple[Path, ...]) -> None:
    """Delete leftovers."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.suffix == ".lock":
            _drop(path)
        else:
            path.unlink(missing_ok=True)


def _inside(folder: Path) -> Iterator[Path]:
    yield from (path for path in folder.rglob(".*") if _is_left(path))
    try:
        run = read_run(folder)
    except (FivefoldError, OSError):
        return  # it goes on from what is there when it is run again
    named = {f"{i:02d}-{s.name}" for i, s in enumerate(run.stages)}
    for path in (folder / "stages").glob("*"):
        if re.fullmatch(r"\d\d+-.+", path.name) and path.name not in named:
            yield path
        elif (path / "unfinished").exists():
            yield path / "unfinished"


def _is_left(path: Path) -> bool:
    found = LEFT.fullmatch(path.name)
    return found is not None and not _is_alive(int(found[1]))


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _is_orphan(path: Path) -> bool:
    """Return whether `path` is the lock of a run that is gone; a file with content is somebody else's."""
    name = path.name[1:].removesuffix(".lock")
    if path.suffix != ".lock" or name == "index" or path.is_symlink() or not path.is_file():
        return False
    return not path.stat().st_size and not path.with_name(name).exists() and not _is_held(path)


def _drop(lock: Path) -> None:
    """Delete a lock while it is held, so that nobody can hold it; who waits for it makes a new one."""
    try:
        with FileLock(lock, timeout=0):
            if not lock.with_name(lock.name[1:].removesuffix(".lock")).exists():
                lock.unlink(missing_ok=True)
    except Timeout:
        return


def _is_busy(folder: Path) -> bool:
    return _is_held(folder.with_name(f".{folder.name}.lock"))


def _is_held(lock: Path) -> bool:
    if not lock.exists():  # to look is not to make one
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True
