"""Which files may be opened at all: an allow-list of formats that hold data and cannot hold code.

A file is known by its name and by its first bytes, and the two must agree: a pickle called `.json` is
refused, and so is a safetensors file called `.pt`. Nothing is ever unpickled to find out what it is.
"""

import json
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn, TypeAlias

from fivefold.core.errors import Damaged
from fivefold.security.header import check_safetensors, without_twins

Format: TypeAlias = Literal["safetensors", "json", "toml", "text"]
MOST_TEXT_BYTES = 64_000_000
SUFFIXES: Mapping[str, Format] = {
    ".safetensors": "safetensors",
    ".json": "json",
    ".toml": "toml",
    ".md": "text",
    ".txt": "text",
}
RUNS_CODE: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a zip archive (torch.save, npz, Keras)"),
    (b"\x93NUMPY", "a NumPy array (may hold a pickle)"),
    (b"\x89HDF", "an HDF5 file (Keras)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
    (b"#!", "a script"),
    *((b"\x80" + bytes([protocol]), "a pickle") for protocol in range(2, 6)),
)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much a folder may hold.

    Attributes:
        files: Most files.
        bytes: Most bytes in all of them.
    """

    files: int = 100
    bytes: int = 50_000_000_000


def check_file(path: Path, allowed: Collection[Format]) -> None:
    """Check that `path` is what its name says, and that this is allowed.

    Raises:
        Damaged: It is not; names the file.
    """
    kind = SUFFIXES.get(path.suffix)
    if kind is None or kind not in allowed:
        _refuse(path, _looks_like(path))
    if path.stat().st_size == 0:
        _refuse(path, "an empty file")
    READERS[kind](path)


def _check_json(path: Path) -> None:
    try:
        json.loads(_words(path), object_pairs_hook=without_twins, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        _refuse(path, f"no JSON ({error})")


def _check_toml(path: Path) -> None:
    try:
        tomllib.loads(_words(path))
    except (ValueError, RecursionError) as error:
        _refuse(path, f"no TOML ({error})")


def _words(path: Path) -> str:
    """Return the text of a file that must be UTF-8 without control characters."""
    if path.stat().st_size > MOST_TEXT_BYTES:
        _refuse(path, f"text of more than {MOST_TEXT_BYTES} bytes")
    told = path.read_bytes()
    if any(byte in told for byte in CONTROL) or told.startswith(tuple(m for m, _ in RUNS_CODE)):
        _refuse(path, _looks_like(path))
    try:
        return told.decode()
    except UnicodeDecodeError:
        _refuse(path, "text that is not UTF-8")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _looks_like(path: Path) -> str:
    """Return what a file that is not allowed seems to be, for the message."""
    with path.open("rb") as file:
        start = file.read(8)
    known = next((name for magic, name in RUNS_CODE if start.startswith(magic)), "")
    return known or f"a {path.suffix or 'nameless'} file or unknown bytes"


def _refuse(path: Path, problem: str) -> NoReturn:
    raise Damaged(
        "This file is not opened: it is {problem}.",
        where=path.name,
        mend="Only safetensors, JSON, TOML and plain text are read; pickles run code when they load.",
        problem=problem,
    )


CONTROL = tuple(code for code in range(32) if chr(code) not in "\t\n\r")
READERS: Mapping[Format, Callable[[Path], object]] = {
    "safetensors": check_safetensors,
    "json": _check_json,
    "toml": _check_toml,
    "text": _words,
}
