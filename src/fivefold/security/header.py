"""The header of a safetensors file, checked before anything reads its tensors."""

import json
from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path
from typing import Any, NoReturn

from fivefold.core.errors import Damaged

MOST_HEADER_BYTES = 10_000_000
MOST_AXES = 16
LARGEST_AXIS = 2**40
BYTES_OF = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 8),
}


def check_safetensors(path: Path) -> None:
    """Check that the header of `path` is sane and describes every byte of the file exactly once.

    Nothing can hide before, between or behind the tensors.

    Raises:
        Damaged: It does not.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 2 <= length <= min(MOST_HEADER_BYTES, size - 8):
            _refuse(path, f"a header of {length} bytes in a file of {size}")
        header = _parsed(path, file.read(length))
    _check_words(path, header.pop("__metadata__", {}))
    spans = sorted(_span(path, name, entry) for name, entry in header.items())
    _check_cover(path, spans, size - 8 - length)


def without_twins(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object's pairs as a dictionary; for `json.loads(object_pairs_hook=...)`.

    Raises:
        ValueError: A key comes twice, so that two readers may see two different files.
    """
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:80]!r} comes twice")
        found[key] = value
    return found


def _parsed(path: Path, told: bytes) -> dict[str, Any]:
    if told[:1] != b"{":
        _refuse(path, "a header that is not JSON")
    try:
        header = json.loads(told.decode(), object_pairs_hook=without_twins)
    except (ValueError, RecursionError) as error:
        _refuse(path, f"a header that is not JSON ({error})")
    assert isinstance(header, dict)  # it starts with a brace
    return header


def _check_words(path: Path, words: Any) -> None:
    plain = isinstance(words, Mapping) and all(isinstance(v, str) for v in words.values())
    if not plain:
        _refuse(path, "metadata that are not words")


def _span(path: Path, name: str, entry: Any) -> tuple[int, int]:
    """Return where the tensor `name` begins and ends."""
    if not isinstance(entry, Mapping) or set(entry) != {"dtype", "shape", "data_offsets"}:
        _refuse(path, f"no proper entry for {name[:80]!r}")
    width, shape, span = BYTES_OF.get(str(entry["dtype"])), entry["shape"], entry["data_offsets"]
    if width is None or not _whole(shape, MOST_AXES, LARGEST_AXIS):
        _refuse(path, f"an unknown type or shape of {name[:80]!r}")
    if not _whole(span, 2, 2**62) or len(span) != 2 or span[1] - span[0] != width * prod(shape):
        _refuse(path, f"offsets that do not fit the shape of {name[:80]!r}")
    return span[0], span[1]


def _whole(values: Any, most: int, largest: int) -> bool:
    """Whether `values` is a short list of whole numbers from 0 to `largest`."""
    if not isinstance(values, list) or len(values) > most:
        return False
    return all(type(v) is int and 0 <= v <= largest for v in values)


def _check_cover(path: Path, spans: list[tuple[int, int]], size: int) -> None:
    end = 0
    for low, high in spans:
        if low != end:
            _refuse(path, "tensors that overlap or leave a gap")
        end = high
    if end != size:
        _refuse(path, f"tensors of {end} bytes where there are {size}")


def _refuse(path: Path, problem: str) -> NoReturn:
    raise Damaged(
        "This is not a sound safetensors file: it has {problem}.",
        where=path.name,
        mend="Get the file again from where it was written.",
        problem=problem,
    )
