"""A table as it came: columns of text or numbers, and where each row stands in its file."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.core.errors import BadInput

if TYPE_CHECKING:
    import polars as pl

MOST_COLUMNS = 10_000
MOST_VALUES = 100_000_000


@dataclass(frozen=True, kw_only=True)
class Raw:
    """A table before anything is known about its columns.

    Attributes:
        frame: The columns; those of text files are text.
        origin: Name of the file or frame, for messages.
        lines: Line of each row in its file; None if it has no lines.
    """

    frame: "pl.DataFrame"
    origin: str
    lines: "np.ndarray | None" = None

    def place(self, row: int | None = None, column: str = "") -> str:
        """Return where a value stands: file, line (or row, counted from 1) and column."""
        told = self.origin
        if row is not None:
            told += f":{self.lines[row]}" if self.lines is not None else f": row {row + 1}"
        return f"{told} ({column})" if column else told


def frame_raw(frame: Any, origin: str) -> Raw:
    """Return any eager DataFrame (polars, pandas, PyArrow, ...) as a raw table.

    Raises:
        BadInput: It is not a DataFrame, is lazy, or is too large.
    """
    import narwhals as nw

    try:
        found = nw.from_native(frame, eager_only=True).to_polars()
    except (TypeError, ValueError, nw.exceptions.NarwhalsError) as error:
        raise BadInput(
            "A {kind} is not a DataFrame that can be read: {problem}",
            where=origin,
            mend="Give a polars, pandas or PyArrow table; call .collect() on a lazy one.",
            kind=type(frame).__name__,
            problem=str(error).partition("\n")[0],
        ) from error
    check_size(found.height, found.width, origin)
    return Raw(frame=found, origin=origin)


def check_names(names: list[str], place: str) -> None:
    """Refuse a header with a column that has no name, or with a name twice.

    Raises:
        BadInput: As said.
    """
    for i, name in enumerate(names):
        if not name:
            raise BadInput(
                "Column {number} has no name.",
                where=place,
                mend="Name every column in the first line.",
                number=i + 1,
            )
    if twice := [n for n in dict.fromkeys(names) if names.count(n) > 1] if _repeats(names) else []:
        raise BadInput(
            "Two columns are called {column}.", where=place, mend="Rename one.", column=twice[0]
        )


def check_size(rows: int, columns: int, place: str) -> None:
    """Refuse a table without rows, or one that would not fit into memory.

    Raises:
        BadInput: As said.
    """
    if rows == 0:
        raise BadInput(
            "This table has no rows.", where=place, mend="Add rows below the names of the columns."
        )
    if columns > MOST_COLUMNS or rows * columns > MOST_VALUES:
        raise BadInput(
            "This table has {rows} rows and {columns} columns; the limit is {most_columns} columns and {most_values} values.",
            where=place,
            mend="Leave out columns or take a sample of the rows.",
            rows=rows,
            columns=columns,
            most_columns=MOST_COLUMNS,
            most_values=MOST_VALUES,
        )


def _repeats(names: list[str]) -> bool:
    return len(set(names)) < len(names)
