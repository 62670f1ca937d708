"""Rows of a CSV or Parquet file, read a block at a time."""

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from fivefold.core.errors import BadInput
from fivefold.core.schema import Schema
from fivefold.data.columns import columns_of
from fivefold.data.raw import Raw, check_names


def read_blocks(path: Path, schema: Schema, size: int) -> Iterator[Float[Tensor, "rows columns"]]:
    """Yield blocks of at most `size` rows of a table as the schema has them.

    Raises:
        BadInput: The model eats no table, a column is not there, or a value does not fit.
    """
    if not schema.is_table:
        raise BadInput(
            "Rows for this model cannot be read from a file.",
            where=str(path),
            mend="Give them as a tensor, or as an iterator of tensors.",
        )
    match path.suffix.lower():
        case ".csv" | ".tsv":
            raws = _csv(path, size)
        case ".parquet" | ".pq":
            raws = _parquet(path, schema, size)
        case _:
            raise BadInput(
                "A table in a {ending} file cannot be read in blocks.",
                where=str(path),
                mend="Export it as CSV or Parquet.",
                ending=path.suffix or "nameless",
            )
    for raw in raws:
        yield columns_of(raw, schema)


def _csv(path: Path, size: int) -> Iterator[Raw]:
    import polars as pl

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(
                file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True
            )
            names = next(reader, [])
            check_names(names, str(path))
            told = ((reader.line_num, row) for row in reader if row)  # an empty line is no row
            while some := list(islice(told, size)):
                lines, rows = zip(*some, strict=True)
                _refuse_ragged(rows, names, lines, path)
                frame = pl.DataFrame(rows, dict.fromkeys(names, pl.String), orient="row")
                yield Raw(frame=frame, origin=str(path), lines=np.array(lines))
    except (OSError, ValueError, csv.Error, pl.exceptions.PolarsError) as error:
        raise _unreadable(path, error) from error


def _parquet(path: Path, schema: Schema, size: int) -> Iterator[Raw]:
    import polars as pl

    try:
        table = pl.scan_parquet(path, glob=False)
        known = table.collect_schema().names()
        table = table.select([c.name for c in schema.columns if c.name in known])
        n = int(table.select(pl.len()).collect().item())
        for start in range(0, n, size):
            yield Raw(frame=table.slice(start, size).collect(), origin=str(path))
    except (OSError, ValueError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise _unreadable(path, error) from error


def _refuse_ragged(
    rows: tuple[list[str], ...], names: list[str], lines: tuple[int, ...], path: Path
) -> None:
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(names):
            raise BadInput(
                "This line has {found} values, and the first line names {wanted} columns.",
                where=f"{path}:{line}",
                mend="Quote values that contain a separator.",
                found=len(row),
                wanted=len(names),
            )


def _unreadable(path: Path, error: Exception) -> BadInput:
    return BadInput(
        "This table cannot be read: {problem}.",
        where=str(path),
        mend="Write it again as CSV in UTF-8, or as Parquet.",
        problem=str(error).partition("\n")[0][:200],
    )
