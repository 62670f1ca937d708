"""Every call that changes a file below one folder, counted; the k-th of them can fail or be the last."""

import builtins
import errno
import io
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

ERRORS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EACCES": errno.EACCES, "short": errno.ENOSPC}
KINDS = (*ERRORS, "kill")
NAMES = ("link", "replace", "rename", "mkdir", "unlink", "remove", "rmdir")


class Faults:
    """Counts calls below `folder`; the one numbered `site` fails as `kind` says, after half of its bytes if it has any."""

    def __init__(self, folder: str, site: int = 0, kind: str = "", trace: str = "") -> None:
        self.folder, self.site, self.kind, self.trace = folder, site, kind, trace
        self.count = 0

    def passes(self, name: str, path: object, half: Callable[[], object] = lambda: None) -> None:
        """Count a call; fail if its turn has come."""
        where = (
            str(Path(os.fsdecode(path)).absolute()) if isinstance(path, str | bytes | Path) else ""
        )
        if not where.startswith(self.folder):
            return
        self.count += 1
        if self.trace:
            with OPEN(self.trace, "a") as file:
                file.write(f"{name} {where}\n")
        if self.count != self.site:
            return
        if self.kind in ("kill", "short"):
            half()
        if self.kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        number = ERRORS[self.kind]
        place = [] if name in ("write", "fsync") else [where]
        raise OSError(number, os.strerror(number), *place)

    def install(self) -> None:
        """Put counting calls in the place of the real ones, for the rest of this process."""
        for name in NAMES:
            setattr(os, name, self._counted(name, getattr(os, name)))
        fsync, low = os.fsync, os.open

        def synced(handle: int) -> None:
            self.passes("fsync", Path(f"/proc/self/fd/{handle}").readlink())
            fsync(handle)

        def opened_low(path: Any, flags: int, *more: Any, **named: Any) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                self.passes("open", path)
            return low(path, flags, *more, **named)

        os.fsync, os.open = synced, opened_low
        builtins.open = io.open = self._opened

    def _counted(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *more: Any, **named: Any) -> Any:
            self.passes(name, path)
            return real(path, *more, **named)

        return call

    def _opened(self, file: Any, mode: str = "r", *more: Any, **named: Any) -> Any:
        if not set(mode) & set("wax+"):
            return OPEN(file, mode, *more, **named)
        if isinstance(file, int):  # os.fdopen; os.open has been counted
            path = str(Path(f"/proc/self/fd/{file}").readlink())
            found = OPEN(file, mode, *more, **named)
            return Written(found, path, self) if path.startswith(self.folder) else found
        self.passes("open", file)
        return Written(OPEN(file, mode, *more, **named), file, self)


class Written:
    """A file open for writing whose writes are counted."""

    def __init__(self, file: Any, path: object, faults: Faults) -> None:
        self.file, self.path, self.faults = file, path, faults

    def write(self, data: Any) -> int:
        def half() -> None:
            self.file.write(data[: len(data) // 2])
            self.file.flush()

        self.faults.passes("write", self.path, half)
        return int(self.file.write(data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def __enter__(self) -> "Written":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


OPEN = io.open
