"""Data that cannot be, or only just can: refused with place and remedy, or read value by value as they were written."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from fivefold.core.codec import construct
from fivefold.core.data import Dataset
from fivefold.core.source import Source
from fivefold.data import Table
from seeding import seeded
from survival.faithful import is_faithful
from survival.malformed import refusal

N = 40
ILL = ["yes", "no"] * (N // 2)
AGE = [20 + i for i in range(N)]
TAKEN = "taken as it is"  # in the place of the word that a refusal must say


def loaded(kind: type[Source], folder: Path, **fields: Any) -> Dataset:
    """Return the data as a recipe would load them."""
    told = {"leaks": "keep"} | fields
    return construct(kind, told, where="data").load(folder, seeded())


def judged(ask: Callable[[], Dataset], expected: str, written: Mapping[str, Sequence[Any]]) -> None:
    """Check that data are refused with the word that is expected, or taken and faithful."""
    found: list[Dataset] = []
    error = refusal(lambda: found.append(ask()))
    if expected == TAKEN:
        assert error is None, error
        assert is_faithful(found[0], written, "ill")
    else:
        assert error is not None, "it was taken for good"
        assert any(word in error.words() for word in expected.split("|")), error


def column(cells: Sequence[Any]) -> dict[str, list[Any]]:
    """Return the good table with one column more, its cells repeated to the end."""
    return {"age": AGE, "w": [cells[i % len(cells)] for i in range(N)], "ill": ILL}


def target(cells: Sequence[Any]) -> dict[str, list[Any]]:
    """Return the good table with another target."""
    return {"age": AGE, "ill": [cells[i % len(cells)] for i in range(N)]}


def as_csv(written: Mapping[str, Sequence[Any]], **dialect: Any) -> str:
    """Return a table as CSV, by Python's own writer."""
    out = io.StringIO()
    writer = csv.writer(out, **dialect)
    writer.writerows([list(written), *zip(*written.values(), strict=True)])
    return out.getvalue()


# what is strange -> (the table, what must be said)
CELLS: dict[str, tuple[dict[str, list[Any]], str]] = {
    "full-width digits": (column(["１２", "３"]), TAKEN),
    "Arabic digits": (column(["٣", "٤"]), TAKEN),
    "underscores": (column(["1_000", "2_000"]), TAKEN),
    "hexadecimal": (column(["0x10", "0x11"]), TAKEN),
    "noughts in front": (column(["007", "7", "08"]), TAKEN),
    "a nought with a minus": (column(["-0", "0", "1"]), TAKEN),
    "plus signs": (column(["+1", "2", "+3.5"]), TAKEN),
    "exponents": (column(["1e3", "1E-3", "2.5e+01"]), TAKEN),
    "points at the ends": (column(["1.", ".5", "-.25"]), TAKEN),
    "17 digits": (column(["0.10000000000000001", "0.30000000000000004", "3.141592653589793"]), TAKEN),
    "300 digits behind the point": (column(["0." + "3" * 300, "1"]), TAKEN),
    "numbers below 32 bits": (column(["1e-50", "3e-50", "1"]), TAKEN),
    "denormal numbers": (column(["1e-320", "5e-324", "1"]), TAKEN),
    "the largest number": (column(["3.4e38", "-3.4e38", "0"]), TAKEN),
    "one above the largest": (column(["3.5e38", "1", "0"]), "too large"),
    "infinity in words": (column(["1", "Infinity", "2"]), "infinite"),
    "minus infinity": (column(["1", "-inf", "2"]), "infinite"),
    "1e999": (column(["1", "1e999", "2"]), "infinite"),
    "NaN in capitals": (column(["NAN", "1.5", "2", "3"]), TAKEN),
    "NaN with a sign": (column(["-nan", "1.5", "2", "3"]), TAKEN),
    "nothing but NaN": (column(["NaN"]), "no value"),
    "2 to the 53": (column([str(2**53), "1"]), "digits"),
    "2 to the 53 less 1": (column([str(2**53 - 1), "1"]), TAKEN),
    "a thousand digits": (column(["9" * 1000, "1"]), "digits"),
    "decimal commas": (column(["1,5", "2,5"]), TAKEN),
    "one decimal comma": (column(["1.5", "2.5", "2,5"]), "is not a number"),
    "money": (column(["$1", "$2"]), TAKEN),
    "percent": (column(["1%", "2%"]), TAKEN),
    "a word among numbers": (column(["1", "2", "three"]), "is not a number"),
    "a number among words": (column(["one", "two", "3"]), TAKEN),
    "truth and numbers": (column(["1", "0", "true"]), "is not a number"),
    "spaces around": (column([" 1", "2 ", "\t3"]), TAKEN),
    "a space that does not break": (column(["\u00a01", "2"]), TAKEN),
    "words with spaces around": (column([" a", "b ", "c"]), TAKEN),
    "line breaks": (column(["a\nb", "c\r\nd", "e\rf"]), TAKEN),
    "quotation marks": (column(['a"b', '"', '""']), TAKEN),
    "separators": (column(["a,b", ",", ";\t|"]), TAKEN),
    "another line separator": (column(["a\u2028b", "c\u2029d", "e\x85f"]), TAKEN),
    "control characters": (column(["\x1b[31m", "\x07", "\x1f"]), TAKEN),
    "emoji": (column(["😀", "👨‍👩‍👧", "🏳️‍🌈"]), TAKEN),
    "one letter, two spellings": (column(["é", "e\u0301", "x"]), TAKEN),
    "right to left": (column(["a\u202eb", "שלום", "سلام"]), TAKEN),
    "what cannot be seen": (column(["a\u200b", "a", "\ufeffa"]), TAKEN),
    "braces": (column(["{x}", "{0}", "{}"]), TAKEN),
    "formulas": (column(["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0"]), TAKEN),
    "markup": (column(["<script>alert(1)</script>", "&amp;", "<!--"]), TAKEN),
    "every sign of a missing value": (column(["", "NA", "N/A", "NaN", "nan", "null", "NULL", "?", "1", "2"]), TAKEN),
    "a word of 100,000 letters": (column(["x" * 100_000, "y"]), TAKEN),
    "a word of 200,000 letters": (column(["x" * 200_000, "y"]), "131072"),
    "the same number in every row": (column(["5"]), TAKEN),
    "the same word in every row": (column(["a"]), TAKEN),
    "a free text": (column([f"words and words {i}" for i in range(N)]), "name or free text"),
    "dates": (column([f"2024-01-{i + 1:02}" for i in range(N)]), "name or free text"),
    "numbers alike in 32 bits": (column([f"1.{i:012}" for i in range(N)]), TAKEN),
    "classes by number": (target(["1", "2", "10"]), TAKEN),
    "classes that are one number": (target(["1", "01", "2"]), TAKEN),
    "a class of spaces": (target(["a", " a ", "b"]), TAKEN),
    "classes in other letters": (target(["Yes", "yes"]), TAKEN),
    "classes with quotation marks": (target(['"yes"', "no"]), TAKEN),
    "one class": (target(["yes"]), "only one class"),
    "a class that is missing": (target(["yes", "no", ""]), "missing"),
    "a class called None": (target(["None", "none"]), TAKEN),
    "a class called null": (target(["yes", "null"]), "missing"),
    "a class for each row": (target([f"c{i}" for i in range(N)]), "not classes"),
    "fractions as the target": (target([f"{i}.25" for i in range(N)]), TAKEN),
    "an infinite target": (target(["1.5", "inf", "2.5"]), "infinite"),
    "the same target in every row": (target(["1.5"]), "same in every row"),
    "a column called by a space": ({" ": AGE, "b": AGE, "ill": ILL}, "no name"),
    "two columns but for spaces": ({"age": AGE, " age": AGE, "ill": ILL}, "twice|called age"),
    "a column that colours": ({"\x1b[31m": AGE, "ill": ILL}, TAKEN),
    "a column with a line break": ({"a\nb": AGE, "ill": ILL}, TAKEN),
    "a column with braces": ({"{name}": AGE, "ill": ILL}, TAKEN),
    "a column of 10,000 letters": ({"x" * 10_000: AGE, "ill": ILL}, TAKEN),
    "a column called as a field": ({"use": AGE, "self": AGE, "ill": ILL}, TAKEN),
    "columns by two alphabets": ({"a": AGE, "а": AGE[::-1], "ill": ILL}, TAKEN),
    "no column but the target": ({"ill": ILL}, "No input"),
    "a row": ({"age": [1], "ill": ["yes"]}, "only one class"),
    "two rows": ({"age": [1, 2], "ill": ["yes", "no"]}, "example"),
    "rows of nothing": ({"age": [""] * N, "ill": ILL}, "no value"),
}  # fmt: skip


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_strange_cells(name, ending, tmp_path):
    written, expected = CELLS[name]
    path = tmp_path / f"people.{ending}"
    if ending == "jsonl":
        rows = [dict(zip(written, row, strict=True)) for row in zip(*written.values(), strict=True)]
        told = "\n".join(json.dumps(row) for row in rows)
        expected = {"131072": TAKEN}.get(expected, expected)
    else:
        told = as_csv(written)
    path.write_text(told, encoding="utf-8", newline="")
    plain = {k.strip(): v for k, v in written.items()}
    judged(lambda: loaded(Table, tmp_path, path=path.name, target="ill"), expected, plain)


GOOD = as_csv(column(["a", "b"]), lineterminator="\n")


def with_line(number: int, line: str) -> bytes:
    lines = GOOD.splitlines()
    lines[number - 1] = line
    return "\n".join(lines).encode()


# what is strange -> (the bytes, what must be said); the table that was meant is the good one
FILES: dict[str, tuple[bytes, str]] = {
    "as it should be": (GOOD.encode(), TAKEN),
    "a mark in front": (GOOD.encode("utf-8-sig"), TAKEN),
    "lines of Windows": (GOOD.replace("\n", "\r\n").encode(), TAKEN),
    "lines of an old Mac": (GOOD.replace("\n", "\r").encode(), TAKEN),
    "blank lines between": (GOOD.replace("\n", "\n\n\n").encode(), TAKEN),
    "no line end": (GOOD.rstrip("\n").encode(), TAKEN),
    "everything in quotation marks": (as_csv(column(["a", "b"]), quoting=csv.QUOTE_ALL).encode(), TAKEN),
    "UTF-16 with a mark": (GOOD.encode("utf-16"), "UTF-16"),
    "UTF-16 without a mark": (GOOD.encode("utf-16-le"), "NUL"),
    "UTF-32 with a mark": (GOOD.encode("utf-32"), "UTF-16"),
    "GBK": (GOOD.replace("a", "北京").encode("gbk"), "GBK"),
    "GB 18030 with a mark": (b"\x84\x31\x95\x33" + GOOD.encode(), "UTF-8"),
    "Big5": (GOOD.replace("a", "臺灣").encode("big5"), "UTF-8"),
    "Shift JIS": (GOOD.replace("a", "東京").encode("shift_jis"), "UTF-8"),
    "Latin-1": (GOOD.replace("a", "é").encode("latin-1"), "UTF-8"),
    "half a character": (GOOD.encode() + b"\xe5\x8c", "UTF-8"),
    "a longer spelling": (GOOD.encode() + b"\xc0\xaf", "UTF-8"),
    "a surrogate": (GOOD.encode() + b"\xed\xa0\x80", "UTF-8"),
    "above Unicode": (GOOD.encode() + b"\xf5\x80\x80\x80", "UTF-8"),
    "a NUL": (GOOD.encode() + b"\0", "NUL"),
    "nothing but NUL": (b"\0" * 100, "NUL"),
    "nothing": (b"", "empty"),
    "a mark and nothing": (b"\xef\xbb\xbf", "empty"),
    "a line break": (b"\n", "empty"),
    "a header": (GOOD.splitlines()[0].encode(), "no rows"),
    "a header and blank lines": (GOOD.splitlines()[0].encode() + b"\n\n\n", "no rows"),
    "a short row": (with_line(9, "28,a"), "2 values"),
    "a long row": (with_line(9, "28,a,yes,1"), "4 values"),
    "a row of separators": (with_line(9, ",,,,,,"), "7 values"),
    "a row of spaces": (with_line(9, "   "), "1 values"),
    "an open quotation mark": (with_line(9, '28,"a,yes'), "quotation"),
    "text behind a quotation mark": (with_line(9, '28,"a"b,yes'), "quotation"),
    "a column twice": (with_line(1, "age,age,ill"), "called age"),
    "a column without a name": (with_line(1, "age,,ill"), "no name"),
    "a header of numbers": (with_line(1, "1,2,3"), "no column ill"),
    "a comment": (b"# about\n" + GOOD.encode(), "3 values"),
    "semicolons": (GOOD.replace(",", ";").encode(), "separated"),
    "pipes": (GOOD.replace(",", "|").encode(), "separated"),
    "100,000 columns": (b",".join(b"a%d" % i for i in range(100_000)) + b"\n" + b"1," * 99_999 + b"1", "100000 columns"),
    "JSON": (json.dumps(column(["a", "b"])).encode(), "people"),
    "XML": (b"<?xml version='1.0'?>\n<a/>", "no column ill"),
    "an archive": (b"PK\x03\x04" + b"x" * 60, "ZIP"),
    "a picture": (b"\x89PNG\r\n" + b"x" * 60, "PNG"),
    "a compressed file": (b"\x1f\x8b" + b"x" * 60, "gzip"),
    "Parquet": (b"PAR1" + b"x" * 60, "Parquet"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_strange_bytes(name, tmp_path):
    content, expected = FILES[name]
    (tmp_path / "people.csv").write_bytes(content)
    written = column(["a", "b"])
    judged(lambda: loaded(Table, tmp_path, path="people.csv", target="ill"), expected, written)


def lines(last: str) -> str:
    good = [json.dumps({"age": 20 + i, "ill": ILL[i]}) for i in range(N - 1)]
    return "\n".join([*good, last])


LINES = {
    "half a character": (r'{"age": "\ud800", "ill": "no"}', "not JSON"),
    "half a character in a key": (r'{"\udfff": 1, "age": 59, "ill": "no"}', "not JSON"),
    "a whole one in two halves": (r'{"age": 59, "\ud83d\ude00": 1, "ill": "no"}', TAKEN),
    "a key twice": ('{"age": 5, "age": 7, "ill": "no"}', "twice"),
    "a key twice but for spaces": ('{"age": 5, " age": 7, "ill": "no"}', "twice"),
    "no key": ('{"": 1, "age": 59, "ill": "no"}', "no name"),
    "a list": ("[1, 2]", "not an object"),
    "a number": ("59", "not an object"),
    "nothing inside": ("{}", "missing"),
    "null": ("null", "not an object"),
    "an open brace": ('{"age": 59', "not JSON"),
    "a hundred thousand brackets": ("[" * 100_000, "not JSON"),
    "single quotation marks": ("{'age': 59, 'ill': 'no'}", "not JSON"),
    "a comma at the end": ('{"age": 59, "ill": "no",}', "not JSON"),
    "two objects": ('{"age": 59, "ill": "no"} {}', "not JSON"),
    "an object inside": ('{"age": {"years": 59}, "ill": "no"}', "list or an object"),
    "infinity": ('{"age": Infinity, "ill": "no"}', "infinite"),
    "5,000 digits": ('{"age": ' + "9" * 5000 + ', "ill": "no"}', "digits"),
    "a NUL inside": (r'{"age": "\u0000", "ill": "no"}', "is not a number"),
    "a missing target": ('{"age": 59, "ill": null}', "missing"),
}  # fmt: skip


@pytest.mark.parametrize("name", LINES)
def test_strange_lines(name, tmp_path):
    last, expected = LINES[name]
    (tmp_path / "people.jsonl").write_text(lines(last), encoding="utf-8")
    written = {"age": [*AGE[:-1], 59], "😀": [None] * (N - 1) + [1], "ill": ILL}
    ask = lambda: loaded(Table, tmp_path, path="people.jsonl", target="ill")  # noqa: E731
    if expected == TAKEN:
        assert refusal(ask) is None or "training row" in str(refusal(ask))
    else:
        judged(ask, expected, written)


def test_they_are_more_than_two_hundred():
    assert 2 * len(CELLS) + len(FILES) + len(LINES) > 200
