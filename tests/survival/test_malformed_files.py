"""Parquet files, texts and paths that cannot be, or only just can."""

import datetime
import json
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from fivefold.data import Images, Table, Texts
from survival.malformed import refusal
from survival.test_malformed_data import AGE, GOOD, ILL, TAKEN, N, judged, loaded

# what is strange -> (values, what must be said, what must be said if they are names)
SERIES: dict[str, tuple[pl.Series, str, str]] = {
    "bytes": (pl.Series([b"\xff", b"a"] * 20), "Binary", "Binary"),
    "decimals": (pl.Series([Decimal("1.10"), Decimal("2.25")] * 20), TAKEN, ""),
    "decimals of 25 digits": (pl.Series([Decimal("123456789012345678901234.5"), Decimal(1)] * 20), TAKEN, ""),
    "64 bits": (pl.Series([2**64 - 1, 1] * 20, dtype=pl.UInt64), "digits", TAKEN),
    "128 bits": (pl.Series([2**100, 1] * 20, dtype=pl.Int128), "digits", TAKEN),
    "8 bits": (pl.Series([-128, 127] * 20, dtype=pl.Int8), TAKEN, TAKEN),
    "durations": (pl.Series([datetime.timedelta(1)] * 40), "Duration", "Duration"),
    "times": (pl.Series([datetime.time(1)] * 40), "Time", "Time"),
    "days": (pl.Series([datetime.date(2026, 1, 1)] * 40), "Date", "Date"),
    "lists": (pl.Series([[1]] * 40), "List", "List"),
    "structures": (pl.Series([{"a": 1}] * 40), "Struct", "Struct"),
    "arrays": (pl.Series([[1, 2]] * 40, dtype=pl.Array(pl.Int64, 2)), "Array", "Array"),
    "categories": (pl.Series(["a", "b"] * 20, dtype=pl.Categorical), TAKEN, TAKEN),
    "an enumeration": (pl.Series(["a", "b"] * 20, dtype=pl.Enum(["a", "b"])), TAKEN, TAKEN),
    "nothing": (pl.Series([None] * 40, dtype=pl.Null), "no value", "no value"),
    "infinity": (pl.Series([1.0, float("inf")] * 20), "infinite", ""),
    "NaN": (pl.Series([1.0, 2.0, float("nan"), 3.0] * 10), TAKEN, TAKEN),
    "1e20": (pl.Series([1e20, 1.0] * 20), TAKEN, ""),
    "32 bits": (pl.Series([0.1, 0.2] * 20, dtype=pl.Float32), TAKEN, ""),
    "texts with NUL": (pl.Series(["a\0", "a"] * 20), TAKEN, TAKEN),
    "empty texts": (pl.Series(["", "a", "b", "a"] * 10), TAKEN, TAKEN),
}  # fmt: skip


@pytest.mark.parametrize("name", SERIES)
def test_strange_types(name, tmp_path):
    values, as_found, as_names = SERIES[name]
    frame = pl.DataFrame({"age": AGE, "w": values, "ill": ILL})
    frame.write_parquet(tmp_path / "people.parquet")
    written = {k: frame[k].to_list() for k in frame.columns}
    told = {"path": "people.parquet", "target": "ill"}
    judged(lambda: loaded(Table, tmp_path, **told), as_found, written)
    named = {"columns": {"w": {"kind": "category"}}}
    if as_names:
        judged(lambda: loaded(Table, tmp_path, **told, **named), as_names, written)
    else:  # how a fraction is spelt as a name is not fixed; that none of them vanishes is
        found = loaded(Table, tmp_path, **told, **named)
        assert len(found.schema.columns[1].categories) == 2
        assert not found.splits.test.x[:, 1].isnan().any()  # type: ignore[index]


PATHS = ["", ".", "..", "../../etc/passwd", "/etc/passwd", "/dev/zero", "/dev/null", "/proc/self/mem", "a\0.csv", "x" * 300 + ".csv", "x/" * 3000 + "a.csv", "~", "CON", "absent.csv", "people.csv/a", "😀.csv", "\ud800.csv", "%s.csv", "{x}.csv", "a\nb.csv", "\x1b[31m.csv", "people", "people.xlsx", "people.csv.gz"]  # fmt: skip


@pytest.mark.parametrize("kind", [Table, Texts, Images])
def test_strange_paths(kind, tmp_path):
    (tmp_path / "people.csv").write_text(GOOD, encoding="utf-8")
    for name in ("people", "people.xlsx", "people.csv.gz"):
        (tmp_path / name).write_text(GOOD, encoding="utf-8")
    more = {} if kind is Images else {"target": "ill"}
    for path in PATHS:
        assert refusal(lambda path=path: loaded(kind, tmp_path, path=path, **more)) is not None, (
            path
        )


WORDS = [f"第 {i} 条 {'good' if i % 2 else 'bad'}" for i in range(N)]
# what is strange -> (texts, more fields, what must be said)
TEXTS: dict[str, tuple[list[Any], dict[str, Any], str]] = {
    "as they should be": (WORDS, {}, TAKEN),
    "emoji": ([f"👨‍👩‍👧 {w}" for w in WORDS], {}, TAKEN),
    "quotation marks and lines": ([f'"{w}"\r\n,;' for w in WORDS], {}, TAKEN),
    "spaces around": ([f"  {w}\t" for w in WORDS], {}, TAKEN),
    "the last character": ([f"\U0010ffff{w}" for w in WORDS], {}, TAKEN),
    "a NUL": ([*WORDS[:-1], "a\0b"], {}, "NUL"),
    "no text": ([*WORDS[:-1], ""], {}, "no text"),
    "nothing but spaces": ([*WORDS[:-1], " \u3000\n"], {}, "no text"),
    "a missing text": ([*WORDS[:-1], None], {}, "no text"),
    "numbers": ([*range(N)], {}, TAKEN),
    "a long separator": (WORDS, {"separator": "ab"}, "one character"),
    "no separator": (WORDS, {"separator": ""}, "one character"),
    "the target as the text": (WORDS, {"text": "ill"}, "text and target"),
    "a column that is not": (WORDS, {"text": "txet"}, "no column txet"),
    "no characters": (WORDS, {"longest": 0}, "does not fit"),
    "2 to the 62 characters": (WORDS, {"longest": 2**62}, "too large"),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_strange_texts(name, tmp_path):
    texts, fields, expected = TEXTS[name]
    rows = [json.dumps({"text": t, "ill": y}) for t, y in zip(texts, ILL, strict=True)]
    (tmp_path / "t.jsonl").write_text("\n".join(rows), encoding="utf-8")
    told = {"path": "t.jsonl", "target": "ill"} | fields
    judged(lambda: loaded(Texts, tmp_path, **told), expected, {"text": [str(t) for t in texts], "ill": ILL})  # fmt: skip
