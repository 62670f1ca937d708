"""Plain arrays in an `.npz` archive of NumPy: what it promises is checked before any of it is unpacked."""

import math
import struct
import tokenize
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from fivefold.core.errors import BadInput
from fivefold.data.text_file import MOST_BYTES

UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, SyntaxError, RecursionError),
    *(ValueError, TypeError, RuntimeError, OverflowError, MemoryError, tokenize.TokenError),
)
MOST_LISTED = 2**18  # bytes of the list of members: some thousands of them
MOST_PACKED = 100  # how many times its size on the disk an archive may unpack to,
FREE = 2**25  # bytes, if it is more than this
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_archive(path: Path, wanted: tuple[tuple[str, ...], ...]) -> tuple[np.ndarray, ...]:
    """Return one array for each of `wanted`: the first of these names that is there.

    Raises:
        BadInput: The archive is damaged, lies about its content, lacks an array or holds objects.
    """
    try:
        _check_list(path)
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path)
            names = [_name(members, names, path) for names in wanted]
            return tuple(_array(archive, members[name]) for name in names)
    except UNREADABLE as error:
        raise _refusal(path, error) from error


def _check_list(path: Path) -> None:
    """Refuse a list of members that would not fit into memory; `zipfile` reads all of it at once."""
    with path.open("rb") as file:
        start = max(0, path.stat().st_size - 2**16 - 42)
        file.seek(start)
        tail = file.read()
    end = tail.rfind(b"PK\5\6")
    if end < 0:
        raise zipfile.BadZipFile("File is not a zip file")
    (listed,) = struct.unpack_from("<I", tail, end + 12)
    if listed > MOST_LISTED or tail[max(0, end - 20) : end].startswith(b"PK\6\7"):
        raise zipfile.BadZipFile("too many members")


def _members(archive: zipfile.ZipFile, path: Path) -> Mapping[str, zipfile.ZipInfo]:
    listed = archive.infolist()
    size, packed = sum(m.file_size for m in listed), path.stat().st_size
    if size > MOST_BYTES or size > max(FREE, MOST_PACKED * packed):
        raise BadInput(
            "This file has {packed} bytes and would unpack to {n}.",
            where=str(path),
            mend="Write it again with numpy.savez, or take a sample of the rows.",
            packed=packed,
            n=size,
        )
    names = Counter(m.filename.removesuffix(".npy") for m in listed)
    if twice := [name for name, n in names.items() if n > 1]:
        raise zipfile.BadZipFile(f"two members are called {twice[0]!r}")
    for member in listed:
        _check_member(member)
    return {m.filename.removesuffix(".npy"): m for m in listed}


def _check_member(member: zipfile.ZipInfo) -> None:
    parts = PurePosixPath(member.orig_filename.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or "\0" in member.orig_filename:
        raise zipfile.BadZipFile(f"a member is called {member.orig_filename!r}")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(f"{member.filename!r} is packed in an unusual way")


def _name(found: Mapping[str, zipfile.ZipInfo], names: tuple[str, ...], path: Path) -> str:
    for name in names:
        if name in found:
            return name
    raise BadInput(
        "There is no array {name} or {other} in this file.",
        where=str(path),
        mend="There are: {known}.",
        name=names[0],
        other=names[1],
        known=", ".join(list(found)[:20]),
    )


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """Return an array whose header promises what the member holds, neither more nor less."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version not in HEADERS:
            raise ValueError(f"version {version} of the format")
        shape, _, kind = HEADERS[version](file)
        if kind.hasobject:
            raise ValueError("Object arrays cannot be loaded")
        is_lie = math.prod(shape) * kind.itemsize != member.file_size - file.tell()
        if is_lie or not kind.itemsize or any(n < 0 for n in shape):
            raise ValueError(f"{member.filename!r} does not hold the shape {shape}")
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _refusal(path: Path, error: Exception) -> BadInput:
    is_object = "Object arrays" in str(error)
    return BadInput(
        "This file holds Python objects, which may run code."
        if is_object
        else "This is not a whole .npz file: {problem}.",
        where=str(path),
        mend="Write plain arrays of numbers or text with numpy.savez.",
        problem=(str(error) or type(error).__name__).partition("\n")[0][:200],
    )
