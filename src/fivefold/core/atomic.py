"""Files that are either the old ones or the new ones, never something between."""

import os
import re
import shutil
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write all of `content` or nothing: a temporary file, fsync, replace, fsync of the folder."""
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file, naming(path):
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


def is_abandoned(path: Path) -> bool:
    """Whether the process that was making `.NAME.PID.part` or `.NAME.PID.old` is gone."""
    told = re.fullmatch(r"\..+\.(\d{1,9})\.(part|old)", path.name)
    if told is None:
        return False
    try:
        os.kill(int(told[1]), 0)  # asks whether there is such a process, and sends it nothing
    except ProcessLookupError:
        return True
    except OSError:
        return False  # somebody else's, and alive
    return False


def sweep(found: Iterable[Path]) -> None:
    """Remove those of `found` that a process which was killed has left."""
    for path in [p for p in found if is_abandoned(p)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with naming(folder):
            os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def naming(path: Path) -> Generator[None]:
    """Name `path` in an error of the disk that names no file, as those of write and fsync do not."""
    try:
        yield
    except OSError as error:
        if (
            error.errno is not None
        ):  # without a number there is only the sentence, which a name would hide
            error.filename = error.filename or str(path)
        raise
