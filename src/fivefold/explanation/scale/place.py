"""A file that is written bit by bit and is there as a whole, or not at all."""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from fivefold.core.atomic import naming, sync_folder


@contextmanager
def whole_file(path: Path) -> Generator[tuple[Path, Path]]:
    """Give a file and a folder to write to; in the end the file takes the place `path`, or both vanish."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    folder = path.with_name(f".{path.name}.pieces.{os.getpid()}.part")
    try:
        part.unlink(missing_ok=True)  # of a process of the same number that was killed
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield part, folder
        with part.open("rb") as file, naming(path):
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
