"""Data that cannot be used: what is said, where it points, and how to mend it. No traceback of a library."""

import io
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
from refusal import says

from fivefold.core.codec import decode
from fivefold.core.errors import BadInput, BadRecipe
from fivefold.core.source import Source
from fivefold.data import (
    ByTime,
    ColumnSpec,
    Grouped,
    Random,
    Stratified,
    Table,
    from_frame,
)
from seeding import seeded

HEAD = "age,town,pulse,day,ill"


def good(n: int = 40) -> list[str]:
    """Return the lines of a good table: line 1 is the header, line `i + 1` is row `i`."""
    rows = [f"{20 + i},{'north' if i % 3 else 'south'},{60 + i % 7}.5,2024-01-{1 + i % 28:02d},{'yes' if i % 2 else 'no'}" for i in range(n)]  # fmt: skip
    return [HEAD, *rows]


def line(number: int, text: str) -> bytes:
    """Return the good table with one line replaced."""
    lines = good()
    lines[number - 1] = text
    return "\n".join(lines).encode()


def column(name: str, values: list[str]) -> bytes:
    """Return the good table with one column more."""
    lines = good(len(values))
    return "\n".join(f"{a},{b}" for a, b in zip(lines, [name, *values], strict=True)).encode()


GOOD = "\n".join(good()).encode()
PARQUET = io.BytesIO()
pl.DataFrame({"age": list(range(40)), "ill": ["yes", "no"] * 20}).write_parquet(PARQUET)


def jsonl(number: int, text: str) -> bytes:
    lines = [f'{{"age": {i}, "ill": "{"yes" if i % 2 else "no"}"}}' for i in range(40)]
    lines[number - 1] = text
    return "\n".join(lines).encode()


class Bad(NamedTuple):
    """One case: the file, what the recipe says, and what the message must hold."""

    data: bytes
    where: str
    mend: str
    what: str = ""
    name: str = "people.csv"
    table: dict[str, Any] | None = None


def spec(name: str, **fields: Any) -> dict[str, Any]:
    return {"columns": {name: ColumnSpec(**fields)}}


TABLES = {
    "no bytes": Bad(b"", "people.csv", "right file", "empty"),
    "only blanks": Bad(b"\n\n  \n"[:2], "people.csv:1", "right file", "empty"),
    "header only": Bad(HEAD.encode(), "people.csv", "Add rows", "no rows"),
    "unknown target": Bad(GOOD, "people.csv", "Did you mean ill?", "no column il", table={"target": "il"}),
    "unknown target, nothing near": Bad(GOOD, "people.csv", "There are: age", "zzz", table={"target": "zzz"}),
    "unknown column in the schema": Bad(GOOD, "people.csv", "Did you mean age?", table=spec("agee")),
    "unknown column to drop": Bad(GOOD, "people.csv", "There are", table={"drop": ("weight",)}),
    "a name twice": Bad(line(1, "age,age,pulse,day,ill"), "people.csv:1", "Rename one", "called age"),
    "a column without a name": Bad(line(1, "age,,pulse,day,ill"), "people.csv:1", "Name every column", "Column 2"),
    "target missing": Bad(line(5, "23,north,61.5,2024-01-04,"), "people.csv:5 (ill)", "leave the row out", "target is missing"),
    "target NaN": Bad(line(7, "23,north,NaN,2024-01-04,yes"), "people.csv:7 (pulse)", "leave the row out", "missing", table={"target": "pulse"}),
    "target infinite": Bad(line(7, "23,north,inf,2024-01-04,yes"), "people.csv:7 (pulse)", "leave it empty", "infinite", table={"target": "pulse"}),
    "target not a declared class": Bad(line(9, "23,north,61.5,2024-01-04,maybe"), "people.csv:9 (ill)", "add it to the classes: no, yes", "'maybe'", table={"classes": ("no", "yes")}),
    "target is text in regression": Bad(GOOD, "people.csv (ill)", 'task = "classification"', "text", table={"task": "regression"}),
    "target is an identifier": Bad(column("id", [f"p{i}" for i in range(40)]), "people.csv (id)", "another target", "not classes", table={"target": "id"}),
    "target is constant": Bad(column("same", ["1.5"] * 40), "people.csv (same)", "right column", "same in every row", table={"target": "same"}),
    "one class": Bad(column("k", ["a"] * 40), "people.csv (k)", "another class", "only one class, a", table={"target": "k"}),
    "a class with one example": Bad(column("k", ["b"] + ["a", "c"] * 19 + ["a"]), "people.csv (", "data.Random", "Class b has 1", table={"target": "k"}),
    "a class that never trains": Bad(column("k", ["a", "c"] * 15 + ["b"] * 10), "people.csv (k)", "data.Stratified", "Class b has no training", table={"target": "k", "split": ByTime(column="age", valid=0.2, test=0.3)}),
    "infinite input": Bad(line(12, "30,north,inf,2024-01-04,yes"), "people.csv:12 (pulse)", "leave it empty", "inf is infinite"),
    "too large for a float": Bad(line(12, "30,north,1e39,2024-01-04,yes"), "people.csv:12 (pulse)", "leave it empty", "1e+39"),
    "far too large": Bad(line(12, "30,north,-1e999,2024-01-04,yes"), "people.csv:12 (pulse)", "leave it empty", "infinite"),
    "abc among numbers": Bad(line(17, "abc,north,61.5,2024-01-04,yes"), "people.csv:17 (age)", "missing = [...]", "'abc' is not a number, and most"),
    "abc in a declared number": Bad(column("w", ["x"] * 39 + ["1"]), "people.csv:2 (w)", "missing = [...]", "'x' is not a number", table=spec("w", kind="number")),
    "a fraction in a declared integer": Bad(GOOD, "people.csv:2 (pulse)", 'kind = "number"', "60.5 is not a whole", table=spec("pulse", kind="integer")),
    "thousands with commas": Bad(line(6, '"1,234",north,61.5,2024-01-04,yes'), "people.csv:6 (age)", "Correct it", "'1,234'"),
    "NUL": Bad(line(8, "30,no\0rth,61.5,2024-01-04,yes"), "people.csv:8", "export it again as UTF-8", "NUL"),
    "bad UTF-8": Bad(line(4, "30,north,61.5,2024-01-04,yes").replace(b"north", b"no\xffrth", 1), "people.csv:3", "Save it again as UTF-8", "not UTF-8"),
    "Latin-1": Bad(line(4, "30,Orléans,61.5,2024-01-04,yes").decode().encode("latin-1"), "people.csv:4", "Save it again as UTF-8", "not UTF-8."),
    "GBK": Bad(line(4, "30,北京,61.5,2024-01-04,yes").decode().encode("gbk"), "people.csv:4", "Save it again as UTF-8", "looks like GBK"),
    "UTF-16": Bad(GOOD.decode().encode("utf-16"), "people.csv", "Save it again as UTF-8", "UTF-16"),
    "too few values": Bad(line(10, "30,north"), "people.csv:10", "quotation marks", "2 values"),
    "too many values": Bad(line(10, "30,north,1,2024-01-04,yes,7"), "people.csv:10", "quotation marks", "6 values"),
    "an open quotation mark": Bad(line(30, '"30,north,1,2024-01-04,yes'), "people.csv:30", "Close every quotation mark", "not CSV"),
    "text after a quotation mark": Bad(line(30, '"30"x,north,1,2024-01-04,yes'), "people.csv:30", "Close every", "not CSV"),
    "semicolons": Bad(GOOD.replace(b",", b";"), "people.csv:1", "separator = ';'", "separated by ';'"),
    "huge whole numbers": Bad(column("id", [str(2**53 + i) for i in range(40)]), "people.csv:2 (id)", "drop = [...]", "too many digits"),
    "too many columns": Bad(b",".join([b"a%d" % i for i in range(10_001)]) + b"\n" + b",".join([b"1"] * 10_001), "people.csv", "Leave out columns", "limit is 10000"),
    "an all-missing column": Bad(column("w", [""] * 40), "people.csv (w)", "drop = [...]", "no value"),
    "an all-missing category": Bad(column("w", ["?"] * 40), "people.csv (w)", "drop = [...]", "no value", table=spec("w", kind="category")),
    "names as an input": Bad(column("name", [f"p{i}x" for i in range(40)]), "people.csv (name)", "drop = [...]", "looks like a name"),
    "outside the declared range": Bad(line(20, "321,north,61.5,2024-01-04,yes"), "people.csv:20 (age)", "widen low and high", "321 is outside the declared range of age, 0 to 120", table=spec("age", low=0, high=120)),
    "below a lower bound": Bad(line(20, "-1,north,61.5,2024-01-04,yes"), "people.csv:20 (age)", "widen", "-1 is outside", table=spec("age", low=0)),
    "not a declared category": Bad(line(20, "31,west,61.5,2024-01-04,yes"), "people.csv:20 (town)", "categories: north, south", "'west'", table=spec("town", categories=("north", "south"))),
    "missing and not optional": Bad(line(20, ",north,61.5,2024-01-04,yes"), "people.csv:20 (age)", "is_optional = true", "age is missing", table=spec("age", is_optional=False)),
    "a person's name as an input": Bad(GOOD, "people.csv (town)", "allow_personal", "identifies a person", table=spec("town", is_personal=True)),
    "protected without groups": Bad(GOOD, "people.csv (age)", "cuts = [...]", "protected", table=spec("age", is_protected=True)),
    "no input left": Bad(GOOD, "people.csv", "drop = [...]", "No input", table={"drop": ("age", "town", "pulse", "day")}),
    "a category that never trains": Bad(line(41, "90,west,61.5,2024-01-04,yes"), "people.csv:41 (town)", "Declare the categories", "'west' never occurs", table={"split": ByTime(column="age")}),
    "an unknown group column": Bad(GOOD, "people.csv", "There are", "no column clinic", table={"split": Grouped(column="clinic")}),
    "two groups": Bad(GOOD, "people.csv (town)", "finer column", "2 groups", table={"split": Grouped(column="town")}),
    "a missing group": Bad(line(20, "31,,61.5,2024-01-04,yes"), "people.csv:20 (town)", "Fill it in", "missing", table={"split": Grouped(column="town")}),
    "not a time": Bad(line(20, "31,north,61.5,yesterday,yes"), "people.csv:20 (day)", "2024-05-31", "'yesterday'", table={"split": ByTime(column="day")}),
    "one moment": Bad(column("t", ["3"] * 40), "people.csv (t)", "finer time", "same time", table={"split": ByTime(column="t")}),
    "stratified numbers": Bad(GOOD, "people.csv (", "data.Random", "target is a number", table={"target": "pulse", "task": "regression", "split": Stratified()}),
    "two rows": Bad("\n".join(good(2)).encode(), "people.csv", "Add examples", "2 examples", table={"split": Random()}),
    "copies across the splits": Bad("\n".join([HEAD, *good(5)[1:] * 12]).encode(), "people.csv", 'leaks = "drop"', "exact copy", table={"leaks": "error"}),
    "nothing but copies": Bad("\n".join([HEAD, *good(2)[1:] * 50]).encode(), "people.csv", 'leaks = "keep"', "Every training example"),
    "Excel": Bad(b"PK\x03\x04" + b"x" * 50, "people.xlsx", "CSV, JSONL or Parquet", ".xlsx", name="people.xlsx"),
    "no ending": Bad(GOOD, "people", "CSV, JSONL or Parquet", "nameless", name="people"),
    "Parquet called CSV": Bad(PARQUET.getvalue(), "people.csv", "end its name accordingly", "Parquet file, not text"),
    "CSV called Parquet": Bad(GOOD, "people.parquet", "Write it again", "not a whole Parquet", name="people.parquet"),
    "Parquet cut off": Bad(PARQUET.getvalue()[:-20], "people.parquet", "Write it again", "not a whole Parquet", name="people.parquet"),
    "Parquet with a broken footer": Bad(PARQUET.getvalue()[:-60] + b"\xff" * 52 + PARQUET.getvalue()[-8:], "people.parquet", "Write it again", name="people.parquet"),
    "Parquet with broken pages": Bad(b"PAR1" + b"\xee" * 200 + PARQUET.getvalue()[204:], "people.parquet", "Write it again", name="people.parquet"),
    "JSON Lines with a broken line": Bad(jsonl(13, '{"age": 3,'), "people.jsonl:13", "one object", "not JSON", name="people.jsonl"),
    "JSON Lines with a list": Bad(jsonl(13, "[1, 2]"), "people.jsonl:13", "one object", "not an object", name="people.jsonl"),
    "JSON Lines with a nested value": Bad(jsonl(13, '{"age": {"years": 3}, "ill": "no"}'), "people.jsonl:13 (age)", "column of its own", name="people.jsonl"),
    "JSON Lines with a key twice": Bad(jsonl(13, '{"age": 3, "age": 4, "ill": "no"}'), "people.jsonl:13", "one object", "twice", name="people.jsonl"),
    "JSON Lines with infinity": Bad(jsonl(13, '{"age": Infinity, "ill": "no"}'), "people.jsonl:13 (age)", "leave it empty", name="people.jsonl"),
    "JSON Lines too deep": Bad(jsonl(13, "[" * 100_000), "people.jsonl:13", "one object", name="people.jsonl"),
    "JSON Lines with text among numbers": Bad(jsonl(13, '{"age": "old", "ill": "no"}'), "people.jsonl:13 (age)", "Correct it", "'old'", name="people.jsonl"),
    "an array in one line": Bad(b'[{"age": 1}]', "people.jsonl:1", "one object", "not an object", name="people.jsonl"),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLES.values(), ids=TABLES)
def test_a_bad_table_is_refused_with_place_and_remedy(case: Bad, tmp_path: Path):
    (tmp_path / case.name).write_bytes(case.data)
    fields: dict[str, Any] = {"path": case.name, "target": "ill", "drop": ("day",)}
    table = Table(**fields | _fitting(case))
    with pytest.raises(BadInput) as caught:
        table.load(tmp_path, seeded())
    says(caught.value, case.where, case.mend, case.what)


def _fitting(case: Bad) -> dict[str, Any]:
    """Return what the case says; the day is dropped only where it is a column and no key."""
    said = case.table or {}
    split = said.get("split")
    is_read = isinstance(split, ByTime | Grouped) and split.column == "day"
    has_day = case.name.endswith("csv") and b"day" in case.data[:80]
    return ({} if has_day and not is_read else {"drop": ()}) | said


def test_a_missing_file(tmp_path: Path):
    with pytest.raises(BadInput) as caught:
        Table(path="none.csv", target="ill").load(tmp_path, seeded())
    says(caught.value, "none.csv", "folder of the recipe", "no such file")


def test_a_path_with_nul(tmp_path: Path):
    with pytest.raises(BadInput) as caught:
        Table(path="no\0ne.csv", target="ill").load(tmp_path, seeded())
    says(caught.value, "no\\0ne.csv", "Check the path", "no such file")


def test_a_folder_for_a_table(tmp_path: Path):
    with pytest.raises(BadInput) as caught:
        Table(path=".", target="ill").load(tmp_path, seeded())
    says(caught.value, str(tmp_path), "Name a file", "folder")


FRAMES = {
    "a list": (lambda: [1, 2], "frame", "polars, pandas or PyArrow", "list"),
    "a lazy frame": (lambda: pl.DataFrame({"a": [1]}).lazy(), "frame", ".collect()", "LazyFrame"),
    "no rows": (lambda: pl.DataFrame({"a": [], "ill": []}), "frame", "Add rows", "no rows"),
    "dates": (lambda: _frame(pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 2, 9), eager=True)), "frame (a)", "drop", "Date"),
    "lists": (lambda: _frame(pl.Series([[1]] * 40)), "frame (a)", "drop", "List"),
    "objects": (lambda: _frame(pl.Series([object()] * 40, dtype=pl.Object)), "frame (a)", "drop", "Object"),
    "infinity": (lambda: _frame(pl.Series([1.0] * 7 + [float("-inf")] * 33)), "frame: row 8 (a)", "Correct", "-inf"),
    "huge": (lambda: _frame(pl.Series([2**60] * 40)), "frame: row 1 (a)", "drop", "too many digits"),
    "nothing": (lambda: _frame(pl.Series([None] * 40)), "frame (a)", "drop", "no value"),
}  # fmt: skip


def _frame(values: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({"a": values, "b": range(40), "ill": ["yes", "no"] * 20})


@pytest.mark.parametrize("case", FRAMES.values(), ids=FRAMES)
def test_a_bad_frame_is_refused_with_place_and_remedy(case):
    make, where, mend, what = case
    with pytest.raises(BadInput) as caught:
        from_frame(make(), target="ill", rng=seeded())
    says(caught.value, where, mend, what)


RECIPES = {
    "a misspelt field": ({"use": "data.Table", "path": "a.csv", "targte": "ill"}, "data.targte"),
    "no target": ({"use": "data.Table", "path": "a.csv"}, "data"),
    "an unknown data set": ({"use": "data.Bundled", "name": "iris"}, "data.name"),
    "a share above 1": ({"use": "data.Bundled", "split": {"use": "data.Random", "test": 1.5}}, "data.split.test"),
    "nothing to train on": ({"use": "data.Bundled", "split": {"use": "data.Random", "test": 0.6, "valid": 0.5}}, "data.split"),
    "low above high": ({"use": "data.Table", "path": "a", "target": "b", "columns": {"c": {"low": 3.0, "high": 1.0}}}, "data.columns.c"),
    "cuts that fall": ({"use": "data.Table", "path": "a", "target": "b", "columns": {"c": {"cuts": [3.0, 1.0]}}}, "data.columns.c"),
    "a negative scale": ({"use": "data.Table", "path": "a", "target": "b", "columns": {"c": {"scale": -1.0}}}, "data.columns.c"),
    "categories of a number": ({"use": "data.Table", "path": "a", "target": "b", "columns": {"c": {"kind": "number", "categories": ["x"]}}}, "data.columns.c"),
    "a long separator": ({"use": "data.Table", "path": "a", "target": "b", "separator": "::"}, "data"),
    "a class twice": ({"use": "data.Table", "path": "a", "target": "b", "classes": ["x", "x"]}, "data"),
    "an unknown leak policy": ({"use": "data.Bundled", "leaks": "hide"}, "data.leaks"),
    "a step for a split": ({"use": "data.Bundled", "split": {"use": "learning.Finetune"}}, "data.split"),
}  # fmt: skip


@pytest.mark.parametrize("case", RECIPES.values(), ids=RECIPES)
def test_a_bad_source_in_a_recipe_names_its_field(case):
    table, where = case
    with pytest.raises(BadRecipe) as caught:
        decode(table, Source, where="data")
    assert caught.value.where.startswith(where)
