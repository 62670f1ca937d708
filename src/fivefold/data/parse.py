"""Columns of a raw table understood as numbers or as words."""

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from fivefold.core.errors import BadInput
from fivefold.data.raw import Raw

if TYPE_CHECKING:
    import polars as pl

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "?")
LARGEST_WHOLE = 2**53  # from here on a float cannot tell two whole numbers apart
LARGEST = 3.4e38  # of a 32-bit float, which is what models eat

Kind: TypeAlias = Literal["number", "integer", "category"]


class Numbers(NamedTuple):
    """A column of numbers: float64 with NaN where missing; `is_whole` if all are whole."""

    values: np.ndarray
    is_whole: bool


class Words(NamedTuple):
    """A column of names: text, null where missing."""

    values: "pl.Series"


def parse(raw: Raw, name: str, kind: Kind | None, missing: tuple[str, ...]) -> Numbers | Words:
    """Return a column as `kind`, or as what it looks like.

    Text is taken for numbers if every value is one. If only most are, that is an error and not a
    category: one slip of the pen must not turn a measurement into words.

    Raises:
        BadInput: A value does not fit the kind, is infinite, or is too large for a float.
    """
    series = raw.frame[name]
    if kind == "category":
        return Words(_as_words(series, raw, missing))
    if series.dtype.is_numeric() or series.dtype.is_(_null()):
        return _checked(_from_numbers(series, kind, raw), kind, raw, name)
    words = _as_words(series, raw, missing)
    numbers = _from_words(words)
    wrong = words.is_not_null() & numbers.is_null()
    n_wrong, n_all = int(wrong.sum()), len(words) - words.null_count()
    if n_wrong == 0 and not series.dtype.is_(_boolean()):
        found = Numbers(_array(numbers), _is_whole(words, numbers, kind, raw))
        return _checked(found, kind, raw, name)
    if kind is None and (n_wrong > n_all / 2 or series.dtype.is_(_boolean())):
        return Words(words)
    row = int(wrong.arg_max() or 0)
    raise BadInput(
        "{value} is not a number."
        if kind
        else "{value} is not a number, and most values of this column are.",
        where=raw.place(row, name),
        mend='Correct it, add it to missing = [...], or say kind = "category" for this column.',
        value=repr(words[row])[:40],
    )


def in_order(names: list[str]) -> tuple[str, ...]:
    """Return names of categories or classes in the order people expect: 2 before 10."""
    try:
        return tuple(sorted(names, key=lambda name: (int(name), name)))  # "1" and "01" may meet
    except ValueError:
        return tuple(sorted(names))


def _as_words(series: "pl.Series", raw: Raw, missing: tuple[str, ...]) -> "pl.Series":
    """Return values as stripped text, null where missing; whole floats without their point."""
    import polars as pl

    if (
        series.dtype.is_nested()
        or series.dtype.is_temporal()
        or type(series.dtype) in (pl.Object, pl.Binary)
    ):
        raise BadInput(
            "A column of the type {kind} cannot be an input.",
            where=raw.place(None, series.name),
            mend="Make numbers of it, or put it into drop = [...].",
            kind=str(series.dtype),
        )
    if series.dtype.is_float():
        whole = series.cast(pl.Int64, strict=False)
        is_missing = series.is_null() | series.is_nan().fill_null(False)
        is_whole = bool(((whole.cast(series.dtype) == series).fill_null(False) | is_missing).all())
        series = whole if is_whole else series.fill_nan(None)
    words = series.cast(pl.String).str.strip_chars()
    return pl.select(pl.when(~words.is_in(list(missing))).then(words)).to_series().alias(series.name)  # fmt: skip


def _from_words(words: "pl.Series") -> "pl.Series":
    import polars as pl

    return words.cast(pl.Float64, strict=False)


def _from_numbers(series: "pl.Series", kind: Kind | None, raw: Raw) -> Numbers:
    import polars as pl

    values = _array(series.cast(pl.Float64))
    if series.dtype.is_float() or series.dtype.is_decimal():
        some = values[np.isfinite(values)]
        small = bool((np.abs(some) < LARGEST_WHOLE).all())
        return Numbers(values, small and bool((some == np.round(some)).all()))
    _refuse_huge(values, kind, raw, series.name)
    return Numbers(values, is_whole=True)


def _is_whole(words: "pl.Series", numbers: "pl.Series", kind: Kind | None, raw: Raw) -> bool:
    digits = words.drop_nulls().str.contains(r"^[+-]?[0-9]+$")
    if len(digits) and bool(digits.all()):
        _refuse_huge(_array(numbers), kind, raw, words.name)
        return True
    return False


def _refuse_huge(values: np.ndarray, kind: Kind | None, raw: Raw, name: str) -> None:
    huge = np.abs(values) >= LARGEST_WHOLE
    if kind != "number" and huge.any():
        raise BadInput(
            "This whole number has too many digits for a float: neighbours would become equal.",
            where=raw.place(int(huge.argmax()), name),
            mend='If it is a name, put the column into drop = [...]; if rounding does no harm, say kind = "number".',
        )


def _checked(found: Numbers, kind: Kind | None, raw: Raw, name: str) -> Numbers:
    huge = np.abs(found.values) > LARGEST
    if huge.any():
        row = int(huge.argmax())
        raise BadInput(
            "{value} is infinite or too large for a 32-bit float.",
            where=raw.place(row, name),
            mend="Correct it, or leave it empty if it is not known.",
            value=f"{found.values[row]:g}",
        )
    if kind == "integer" and not found.is_whole:
        some = np.nan_to_num(found.values)
        broken = some != np.round(some)
        if broken.any():
            raise BadInput(
                "{value} is not a whole number.",
                where=raw.place(int(broken.argmax()), name),
                mend='Correct it, or say kind = "number" for this column.',
                value=f"{found.values[broken.argmax()]:g}",
            )
    return found


def _array(series: "pl.Series") -> np.ndarray:
    return series.to_numpy().astype(np.float64)  # null becomes NaN


def _null() -> "pl.Null":
    import polars as pl

    return pl.Null()


def _boolean() -> "pl.Boolean":
    import polars as pl

    return pl.Boolean()
