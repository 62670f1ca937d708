"""One input tensor of the Open Inference Protocol v2, as JSON or as the bytes behind it."""

import struct
from array import array
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from fivefold.core.text import text
from fivefold.deploy.server.refused import malformed

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
NUMBERS: Mapping[str, str] = {
    "BOOL": "?",
    "UINT8": "<u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "<i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
MOST_AXES = 8
MOST_VALUES = 2**40


class Named(NamedTuple):
    """An input: numbers as an array, strings as a list, with its shape."""

    name: str
    shape: tuple[int, ...]
    values: Array | None
    strings: Sequence[str | None] = ()


def read_tensor(told: Any, binary: memoryview | None) -> Named:
    """Return one entry of `inputs`; its values are in `binary` if that is given.

    Raises:
        Refused: It is not as the protocol wants it.
    """
    if not isinstance(told, dict) or not isinstance(told.get("name"), str):
        raise malformed(text("Each input needs a name, a shape, a datatype and data."))
    name, kind = told["name"], str(told.get("datatype"))
    shape = _shape(told.get("shape"), name)
    if kind == "BYTES":
        strings = _strings(told, binary, name)
        _check_count(len(strings), shape, name)
        return Named(name, shape, None, strings)
    if kind not in NUMBERS:
        raise malformed(text("Input {name}: this datatype is not known.", name=_short(name)))
    if binary is None:
        values = _listed(told.get("data"), kind, name)
    else:
        values = _packed(binary, kind, name)
    _check_count(values.size, shape, name)
    return Named(name, shape, values.reshape(shape))


def _shape(told: Any, name: str) -> tuple[int, ...]:
    is_list = isinstance(told, list) and 0 < len(told) <= MOST_AXES
    if not is_list or not all(type(n) is int and 0 <= n < MOST_VALUES for n in told):
        raise malformed(
            text("Input {name}: a shape is a list of whole numbers.", name=_short(name))
        )
    return tuple(told)


def _listed(data: Any, kind: str, name: str) -> Array:
    if not isinstance(data, list):
        raise malformed(text("Input {name} has no data.", name=_short(name)))
    if kind == "FP32":  # the commonest by far; strings, nulls and lists of lists take the long way
        try:
            return np.frombuffer(array("f", data), dtype=np.float32)
        except (TypeError, OverflowError):
            pass
    wanted = np.dtype(NUMBERS[kind])
    try:
        if _has_strings(data):
            raise ValueError
        raw = np.array(data)
        if raw.dtype.kind == "O" and wanted.kind == "f":  # null is a missing number
            raw = np.array(data, dtype=np.float64)
        if raw.size and raw.dtype.kind not in ("iuf" if wanted.kind == "f" else "biu"):
            raise ValueError
        with np.errstate(over="ignore"):
            values = raw.astype(wanted)
        if wanted.kind in "iu" and (values != raw).any():
            raise ValueError
    except (ValueError, TypeError, OverflowError):
        wrong = text("Input {name}: its data are not {kind}.", name=_short(name), kind=kind)
        raise malformed(wrong) from None
    return values


def _has_strings(data: list[Any]) -> bool:
    """Return whether NumPy would make an array of strings, each of which takes the room of the longest."""
    return any(isinstance(v, str) or (isinstance(v, list) and _has_strings(v)) for v in data)


def _packed(binary: memoryview, kind: str, name: str) -> Array:
    wanted = np.dtype(NUMBERS[kind])
    if len(binary) % wanted.itemsize:
        raise malformed(text("Input {name}: its bytes are cut off.", name=_short(name)))
    return np.frombuffer(binary, dtype=wanted)


def _strings(told: Mapping[str, Any], binary: memoryview | None, name: str) -> list[str | None]:
    if binary is not None:
        return _unpacked(binary, name)
    data = told.get("data")
    flat = list(_flat(data)) if isinstance(data, list) else None
    if flat is None or not all(s is None or isinstance(s, str) for s in flat):
        raise malformed(text("Input {name}: its data are not strings.", name=_short(name)))
    return flat


def _flat(data: list[Any]) -> "list[Any]":
    if any(isinstance(d, list) for d in data):
        return [d for part in data for d in (part if isinstance(part, list) else [part])]
    return data


def _unpacked(binary: memoryview, name: str) -> list[str | None]:
    """Return strings that are each preceded by their length, four bytes, little-endian."""
    found: list[str | None] = []
    at = 0
    try:
        while at < len(binary):
            (n,) = struct.unpack_from("<I", binary, at)
            at += 4 + n
            if at > len(binary):
                raise ValueError
            found.append(str(binary[at - n : at], "utf-8"))
    except (struct.error, ValueError):
        raise malformed(text("Input {name}: its bytes are cut off.", name=_short(name))) from None
    return found


def _check_count(n: int, shape: tuple[int, ...], name: str) -> None:
    if n != prod(shape):
        raise malformed(
            text(
                "Input {name}: {n} values do not fill the shape {shape}.",
                name=_short(name),
                n=n,
                shape=str(list(shape))[:60],
            )
        )


def _short(name: str) -> str:
    return name[:60]
