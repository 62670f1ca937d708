"""A folder that appears as a whole or not at all."""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

from fivefold.core.atomic import naming, sweep, sync_folder
from fivefold.core.errors import BadInput
from fivefold.deploy.seal import MANIFEST


@contextmanager
def placed(folder: Path, *, overwrite: bool = False) -> Generator[Path]:
    """Yield an empty folder beside `folder`; when the block ends well it takes that name.

    Its files reach the disk before it is renamed. If the block fails, nothing is left and what was
    there stays. With `overwrite`, an older bundle is moved aside and deleted last, so that a power cut
    in between leaves one of the two whole. What an earlier attempt left that was killed is removed.

    Raises:
        BadInput: `folder` is taken, and may not or must not be replaced.
    """
    _check_free(folder, overwrite=overwrite)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    sweep(folder.parent.glob(f".{escape(folder.name)}.*.part"))
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        with naming(folder):
            yield part
        _sync(part)
        _swap(part, folder)
        sweep(
            folder.parent.glob(f".{escape(folder.name)}.*.old")
        )  # not before there is a whole one
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _check_free(folder: Path, *, overwrite: bool) -> None:
    if not (folder.exists() or folder.is_symlink()):
        return
    if not overwrite:
        raise BadInput(
            "Something is already there.",
            where=str(folder),
            mend="Choose another name, or pass overwrite.",
        )
    if folder.is_symlink() or not (folder / MANIFEST).is_file():
        raise BadInput(
            "This is not a bundle, so it is not overwritten.",
            where=str(folder),
            mend="Choose another name.",
        )


def _swap(part: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    if folder.exists():
        folder.rename(old)
    try:
        part.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Make every file and folder below `folder` survive a power cut."""
    for path in (*folder.rglob("*"), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            with naming(path):
                os.fsync(handle)
        finally:
            os.close(handle)
