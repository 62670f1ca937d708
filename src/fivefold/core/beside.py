"""Where the relative paths that steps and probes name begin: beside the recipe that names them."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Protocol, runtime_checkable

_folder: ContextVar[Path | None] = ContextVar("folder", default=None)


@contextmanager
def beside(folder: Path) -> Generator[None]:
    """Let relative paths begin in `folder` inside the block, and in the working directory outside."""
    before = _folder.get()
    _folder.set(folder)
    try:
        yield
    finally:
        _folder.set(before)


def located(file: str) -> Path:
    """Return where the file is that a step or a probe names."""
    return (_folder.get() or Path()) / file


@runtime_checkable
class ReadsFiles(Protocol):
    """A probe whose answer depends on files besides the model and the data."""

    def files(self) -> str:
        """Return a hash of what they hold now: an answer is asked for anew when it has changed."""
        ...


def files_of(probe: object) -> str:
    """Return the hash of the files that `probe` reads; "" if it reads none."""
    return probe.files() if isinstance(probe, ReadsFiles) else ""
