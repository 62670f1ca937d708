"""CSV (RFC 4180) to columns of text, with the line of every row."""

import csv
from collections.abc import Iterator
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.core.errors import BadInput
from fivefold.data.raw import Raw, check_names, check_size
from fivefold.data.text_file import read_text

if TYPE_CHECKING:
    import polars as pl

BLOCK = 10_000


def read_csv(path: Path, separator: str) -> Raw:
    """Return a CSV file as columns of text; the first line names them.

    Python's own parser reads it, which knows the line of each row even if a quoted value has line
    breaks; polars takes the rows in blocks, so that memory stays near the size of the file.

    Raises:
        BadInput: The file cannot be read, or a line is broken or has too few or too many values.
    """
    import polars as pl

    rows = _rows(path, read_text(path), separator)
    line, names = next(rows, (1, []))
    names = [n.strip() for n in names]
    _check_header(names, separator, f"{path}:{line}")
    blocks: list[pl.DataFrame] = []
    lines: list[int] = []
    while block := list(islice(rows, BLOCK)):
        blocks.append(_frame(names, block, path))
        lines += [line for line, _ in block]
        check_size(len(lines), len(names), str(path))
    check_size(len(lines), len(names), str(path))
    return Raw(frame=pl.concat(blocks), origin=str(path), lines=np.array(lines))


def _rows(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with its first line; blank lines are passed over."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for row in reader:
            if row:
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        if "field limit" in str(error):
            raise BadInput(
                "A value on this line has more than {most} characters.",
                where=f"{path}:{line}",
                mend="Close every quotation mark; write longer texts as JSON Lines or Parquet.",
                most=csv.field_size_limit(),
            ) from error
        raise BadInput(
            "This line is not CSV: {problem}.",
            where=f"{path}:{line}",
            mend="Close every quotation mark, and write one inside a value twice.",
            problem=str(error),
        ) from error


def _check_header(names: list[str], separator: str, place: str) -> None:
    if not names:
        raise BadInput("This file is empty.", where=place, mend="Is it the right file?")
    for other in (";", "\t", "|", ","):
        if len(names) == 1 and other != separator and other in names[0]:
            raise BadInput(
                "The values seem to be separated by {other}, not by {separator}.",
                where=place,
                mend="Set separator = {other}.",
                other=repr(other),
                separator=repr(separator),
            )
    check_names(names, place)
    check_size(1, len(names), place)


def _frame(names: list[str], block: list[tuple[int, list[str]]], path: Path) -> "pl.DataFrame":
    import polars as pl

    for line, row in block:
        if len(row) != len(names):
            raise BadInput(
                "This line has {found} values, and the first line names {wanted} columns.",
                where=f"{path}:{line}",
                mend="Put values that contain the separator into quotation marks.",
                found=len(row),
                wanted=len(names),
            )
    columns: Any = zip(*(row for _, row in block), strict=True)
    return pl.DataFrame(
        [pl.Series(n, v, dtype=pl.String) for n, v in zip(names, columns, strict=True)]
    )
