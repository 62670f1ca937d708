"""Dataclasses to JSON files and back; infinities survive, nothing runs."""

import json
from dataclasses import fields, is_dataclass
from enum import Enum
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from fivefold.core.errors import Damaged

T = TypeVar("T")


def to_json(value: Any) -> str:
    """Return `value` as stable, readable JSON. Infinite numbers become "inf" and "-inf"."""
    return json.dumps(_plain(value), ensure_ascii=False, indent=1, sort_keys=True)


def to_lines(value: Any) -> str:
    """Return `value` as stable JSON with one line per entry: many times quicker to write than `to_json`."""
    plain = _plain(value)
    if isinstance(plain, dict):
        entries = [f"{_line(k)}: {_line(plain[k])}" for k in sorted(plain)]
        return "{\n" + ",\n".join(entries) + "\n}"
    if isinstance(plain, list):
        return "[\n" + ",\n".join(map(_line, plain)) + "\n]"
    return _line(plain)


def from_json(told: str, kind: type[T], *, where: str = "") -> T:
    """Rebuild a dataclass from JSON, checking every type.

    Raises:
        Damaged: It is not JSON, or does not fit `kind`.
    """
    try:
        return TypeAdapter(kind).validate_python(json.loads(told))
    except (ValueError, ValidationError) as error:
        raise Damaged(
            "This file is not what was written: {problem}.",
            where=where,
            mend="Delete the folder of that stage and run the recipe again.",
            problem=str(error).splitlines()[0],
        ) from error


def _line(plain: Any) -> str:
    return json.dumps(plain, ensure_ascii=False, sort_keys=True)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _plain(value._asdict())  # type: ignore[attr-defined]
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return str(value) if isinstance(value, Path) else value
