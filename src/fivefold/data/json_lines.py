"""JSON Lines to columns of text, with the line of every row."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from fivefold.core.errors import BadInput
from fivefold.data.raw import Raw, check_names, check_size
from fivefold.data.text_file import read_text


def read_json_lines(path: Path) -> Raw:
    """Return a JSON Lines file as columns of text, so that it is understood exactly as a CSV is.

    A key that a line does not have is a missing value.

    Raises:
        BadInput: The file cannot be read, or a line is not an object of plain values.
    """
    import polars as pl

    rows: list[dict[str, str | None]] = []
    lines: list[int] = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            rows.append(_row(line, f"{path}:{number}"))
            lines.append(number)
    names = list(dict.fromkeys(k for row in rows for k in row))
    check_size(len(rows), len(names), str(path))
    check_names(names, str(path))
    frame = pl.DataFrame([pl.Series(n, [r.get(n) for r in rows], dtype=pl.String) for n in names])
    return Raw(frame=frame, origin=str(path), lines=np.array(lines))


def _row(line: str, place: str) -> dict[str, str | None]:
    try:
        found = _DECODER.decode(line)
        if "\\u" in line:  # it may name half a character, which is no text
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise _not_json(str(error), place) from error
    if not isinstance(found, dict):
        raise BadInput(
            "This line is not an object.",
            where=place,
            mend="Each line is one object, such as {example}.",
            example='{"age": 61, "ill": "yes"}',
        )
    row = {k.strip(): _text(v, place, k) for k, v in found.items()}
    if len(row) < len(found):
        raise _not_json("a key stands twice but for spaces", place)
    return row


def _not_json(problem: str, place: str) -> BadInput:
    return BadInput(
        "This line is not JSON: {problem}.",
        where=place,
        mend="Each line is one object, such as {example}.",
        problem=problem,
        example='{"age": 61, "ill": "yes"}',
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("a key stands twice")
    return found


_DECODER = json.JSONDecoder(
    object_pairs_hook=_once, parse_int=str, parse_float=str, parse_constant=str
)


def _text(value: Any, place: str, key: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    raise BadInput(
        "{column} holds a list or an object here.",
        where=f"{place} ({key})",
        mend="Write each part into a column of its own.",
        column=key,
    )
