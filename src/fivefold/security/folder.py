"""A folder of somebody else's files: names, links, counts and sizes, before any of them is opened."""

import os
import re
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from fivefold.core.errors import BadInput, Damaged
from fivefold.security.formats import Format, Limits, check_file

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


def check_folder(
    folder: Path, allowed: Collection[Format], *, limits: Limits = Limits()
) -> tuple[Path, ...]:
    """Check every file in `folder` and return them all, in the order of their names.

    Raises:
        BadInput: There is no such folder.
        Damaged: A link, a device, a hidden or strange name, two names that differ only in case, too much,
            or a file that is not one of the `allowed` formats; names the file.
    """
    files = tuple(plain_files(folder, limits))
    for path in files:
        try:
            check_file(path, allowed)
        except Damaged as error:
            raise error.at(path.relative_to(folder).as_posix()) from None
    return files


def plain_files(folder: Path, limits: Limits) -> Iterator[Path]:
    """Yield the files below `folder`; see `check_folder`. Nothing is opened."""
    if not folder.is_dir():
        raise BadInput("There is no such folder.", where=str(folder), mend="Check the path.")
    left, seen = limits.bytes, dict[str, str]()
    for path, size in _walk(folder):
        name = path.relative_to(folder).as_posix()
        left -= size
        seen_as = seen.setdefault(name.casefold(), name)
        if len(seen) > limits.files or left < 0:
            raise _too_much(limits).at(name)
        if seen_as != name:
            raise Damaged(
                "{name} and {twin} differ only in case.", where=name, name=name, twin=seen_as
            )
        yield path


def check_name(name: str) -> None:
    """Check a relative name from an untrusted list: plain letters, no `..`, no root, no hidden file.

    Raises:
        Damaged: It could leave the folder or hide in it.
    """
    if not all(NAME.fullmatch(part) for part in name.split("/")):
        raise Damaged(
            "{name} is not a name that a file here may have.",
            where=name[:200],
            mend="Names are letters, digits, dots, dashes and underscores.",
            name=ascii(name[:200]),
        )


def _walk(folder: Path, depth: int = 4) -> Iterator[tuple[Path, int]]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        check_name(entry.name)
        about = entry.stat(follow_symlinks=False)
        if stat.S_ISREG(about.st_mode):
            yield Path(entry.path), about.st_size
        elif stat.S_ISDIR(about.st_mode) and depth and any(Path(entry.path).iterdir()):
            yield from _walk(Path(entry.path), depth - 1)
        else:
            raise Damaged(
                "{name} is neither a file nor a folder of files; links are not followed.",
                where=entry.name,
                mend="Put the file itself there.",
                name=entry.name,
            )


def _too_much(limits: Limits) -> Damaged:
    return Damaged(
        "There are more than {files} files or {bytes} bytes.",
        mend="Check where this folder comes from.",
        files=limits.files,
        bytes=limits.bytes,
    )
