"""A table's file, by the ending of its name."""

from pathlib import Path

from fivefold.core.errors import BadInput
from fivefold.data.csv_file import read_csv
from fivefold.data.json_lines import read_json_lines
from fivefold.data.raw import Raw, check_size
from fivefold.data.text_file import check_file


def read_table(path: Path, separator: str = ",") -> Raw:
    """Return the raw table in a CSV, TSV, JSONL or Parquet file.

    Raises:
        BadInput: The file cannot be used; says where and how to mend it.
    """
    check_file(path)
    match path.suffix.lower():
        case ".csv" | ".txt":
            return read_csv(path, separator)
        case ".tsv":
            return read_csv(path, "\t")
        case ".jsonl" | ".ndjson":
            return read_json_lines(path)
        case ".parquet" | ".pq":
            return _read_parquet(path)
        case _:
            raise BadInput(
                "A table in a {ending} file cannot be read.",
                where=str(path),
                mend="Export it as CSV, JSONL or Parquet, and end its name accordingly.",
                ending=path.suffix or "nameless",
            )


def check_separator(separator: str) -> None:
    """Refuse what cannot stand between the values of a CSV file.

    Raises:
        ValueError: As said.
    """
    if len(separator) != 1 or separator in '"\r\n':
        raise ValueError(f"separator = {separator!r} must be one character.")


def _read_parquet(path: Path) -> Raw:
    import polars as pl

    with path.open("rb") as file:
        sign = file.read(4)
    if sign != b"PAR1":
        raise _damaged(path, "it does not begin with PAR1")
    try:
        lazy = pl.scan_parquet(path, glob=False)
        width = len(lazy.collect_schema())
        rows = int(lazy.select(pl.len()).collect().item())
        check_size(rows, width, str(path))
        return Raw(frame=lazy.collect(), origin=str(path))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        raise _damaged(path, str(error).partition("\n")[0]) from error


def _damaged(path: Path, problem: str) -> BadInput:
    return BadInput(
        "This is not a whole Parquet file: {problem}.",
        where=str(path),
        mend="Write it again, or export it as CSV.",
        problem=problem,
    )
