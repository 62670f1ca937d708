"""A list of files with the SHA-256 and size of each; whoever trusts the list can trust the files."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fivefold.core.errors import Damaged
from fivefold.security.folder import check_name
from fivefold.security.header import without_twins

CHUNK = 1 << 20


class Digest(NamedTuple):
    """What one file must be: hexadecimal SHA-256 and size in bytes."""

    sha256: str
    size: int


ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical(value: Any) -> bytes:
    """Return the one way to write `value` as JSON: sorted keys, no blanks, ASCII (after RFC 8785)."""
    return ENCODER.encode(value).encode("ascii")


def from_canonical(told: bytes, *, where: str) -> Any:
    """Return what `canonical` wrote. Any other spelling of the same value is refused.

    Raises:
        Damaged: It is not canonical JSON, so somebody has touched it.
    """
    try:
        value = json.loads(told.decode("ascii"), object_pairs_hook=without_twins)
        if canonical(value) == told:
            return value
    except (ValueError, RecursionError):
        pass
    raise Damaged(
        "This file is not as it was written.",
        where=where,
        mend="Get the folder again from its source.",
    )


def digest_of(path: Path) -> Digest:
    """Return what `path` holds now."""
    found, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            found.update(block)
            size += len(block)
    return Digest(found.hexdigest(), size)


def digests(files: Sequence[Path], folder: Path) -> dict[str, Digest]:
    """Return the digest of each file by its name below `folder`."""
    return {path.relative_to(folder).as_posix(): digest_of(path) for path in files}


def check_digests(files: Sequence[Path], folder: Path, wanted: Mapping[str, Digest]) -> None:
    """Check that `files` are all of `wanted`, each unchanged, and nothing else.

    Raises:
        Damaged: Names the first file that was changed, added, renamed or lost.
    """
    found = {path.relative_to(folder).as_posix(): path for path in files}
    for name in sorted(wanted.keys() - found.keys()):
        check_name(name)
        raise Damaged(
            "{name} is missing.",
            where=name,
            mend="Get the folder again from its source.",
            name=name,
        )
    for name in sorted(found.keys() - wanted.keys()):
        raise Damaged(
            "{name} was added later.",
            where=name,
            mend="Get the folder again from its source.",
            name=name,
        )
    for name, path in found.items():
        if digest_of(path) != wanted[name]:
            raise Damaged(
                "{name} was changed.",
                where=name,
                mend="Get the folder again from its source.",
                name=name,
            )
