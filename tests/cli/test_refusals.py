"""More than a hundred recipes and data files that cannot be, through the command line.

Each is refused with exit code 3, a place and a remedy, and leaves nothing behind.
"""

import re
from pathlib import Path

import pytest

from recipe.test_bad_recipes import BAD, GOOD

HEAD = "age,town,dose,ill"
ROWS = [f"{20 + i},{'north' if i % 3 else 'south'},{i * 7 % 11}.5,{'yes' if i % 2 else 'no'}" for i in range(40)]  # fmt: skip


def rows(number: int, row: str) -> bytes:
    """Return the good table with one row replaced; its line in the file is `number`."""
    lines = [HEAD, *ROWS]
    lines[number - 1] = row
    return "\n".join(lines).encode()


def every(cell: str) -> bytes:
    """Return the good table with the target of all rows replaced."""
    return "\n".join([HEAD, *(f"{row.rpartition(',')[0]},{cell}" for row in ROWS)]).encode()


TABLE = "\n".join([HEAD, *ROWS]).encode()
# what is wrong -> (content of the file, more lines of [data], a word that the message must say)
DATA: dict[str, tuple[bytes, str, str]] = {
    "no bytes": (b"", "", "empty"),
    "blank lines": (b"\n\n\n", "", "data.csv"),
    "only a header": (HEAD.encode() + b"\n", "", "no rows"),
    "two rows": ("\n".join([HEAD, *ROWS[:2]]).encode(), "", "data.csv"),
    "a target that is missing": (rows(5, "24,north,1.5,"), "", "data.csv:5"),
    "a target that is not a number": (rows(6, "24,north,NaN,yes"), 'target = "dose"', "data.csv:6"),
    "an infinite target": (rows(6, "24,north,inf,yes"), 'target = "dose"', "data.csv:6"),
    "one class": (every("yes"), "", "only one class"),
    "a class of one": (rows(9, "28,north,1.5,maybe"), "", "maybe"),
    "GBK": (rows(7, "25,北京,1.5,yes").decode().encode("gbk"), "", "GBK"),
    "UTF-16": (TABLE.decode().encode("utf-16"), "", "UTF-16"),
    "Latin-1": (rows(7, "25,Orléans,1.5,yes").decode().encode("latin-1"), "", "UTF-8"),
    "NUL bytes": (rows(8, "26,no\0rth,1.5,yes"), "", "NUL"),
    "nothing but NUL": (b"\0" * 200, "", "data.csv"),
    "a short row": (rows(10, "28,north"), "", "data.csv:10"),
    "a long row": (rows(10, "28,north,1.5,yes,7,8"), "", "data.csv:10"),
    "an open quotation mark": (rows(10, '"28,north,1.5,yes'), "", "quotation"),
    "an infinite input": (rows(11, "29,north,inf,yes"), "", "data.csv:11"),
    "an input too large": (rows(11, "29,north,1e300,yes"), "", "data.csv:11"),
    "huge whole numbers": ("\n".join([HEAD, *(re.sub(r"^\d+", str(2**60 + i), r) for i, r in enumerate(ROWS))]).encode(), "", "digits"),
    "a word among numbers": (rows(12, "old,north,1.5,yes"), "", "data.csv:12"),
    "semicolons": (TABLE.replace(b",", b";"), "", "separat"),
    "a column twice": (rows(1, "age,age,dose,ill"), "", "data.csv:1"),
    "a column without a name": (rows(1, "age,,dose,ill"), "", "data.csv:1"),
    "no such target": (TABLE, 'target = "il"', "Did you mean ill?"),
    "no such column to drop": (TABLE, 'drop = ["weight"]', "weight"),
    "no column left": (TABLE, 'drop = ["age", "town", "dose"]', "No input"),
    "a text as a number": (TABLE, 'task = "regression"', "text"),
    "an Excel file": (b"PK\x03\x04" + b"x" * 60, "", "data.csv"),
    "a Parquet file": (b"PAR1" + b"x" * 60 + b"PAR1", "", "Parquet"),
    "no such file": (b"", 'path = "none.csv"', "none.csv"),
    "a folder": (b"", 'path = "."', "folder"),
}  # fmt: skip


def is_refused(said, language: str, folder: Path) -> None:
    """Check that a person learns what, where and how to mend it, and that nothing was carried out."""
    assert said.code == 3, said.err
    assert said.out == ""
    assert "Traceback" not in said.err
    what, *rest = said.err.splitlines()
    assert what.startswith({"en": "Error: ", "zh": "错误"}[language])
    assert rest[0].startswith({"en": "Where: ", "zh": "位置"}[language])
    assert len(rest) >= 2, "it does not say how to mend it"
    left = {p.name for p in folder.rglob("*") if p.is_file()}
    assert left <= {"log.txt", ".good.lock"}


def test_they_are_more_than_a_hundred():
    assert len(DATA) >= 20
    assert len(BAD) + len(DATA) > 100


@pytest.mark.parametrize("name", BAD)
def test_a_bad_recipe(ask, name, tmp_path):
    content, line, word = BAD[name]
    path = tmp_path / "recipe.toml"
    path.write_bytes(content)
    said = ask("run", path, "--workdir", tmp_path / "runs", "--json")
    is_refused(said, "en", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
    assert str(path) in said.err
    assert word in said.err
    assert not line or f":{line}" in said.err
    is_refused(
        ask("run", path, "--workdir", tmp_path / "runs", "--lang", "zh"), "zh", tmp_path / "runs"
    )


def recipe_for(fields: str) -> str:
    """Return the good recipe with a table as its data; later fields replace earlier ones."""
    told = {"use": '"data.Table"', "path": '"data.csv"', "target": '"ill"'}
    told |= dict([fields.split(" = ", 1)] if fields else [])
    data = "\n".join(f"{k} = {v}" for k, v in told.items())
    return GOOD.replace('use = "data.Bundled"\nname = "digits"', data)


@pytest.mark.parametrize("name", DATA)
def test_bad_data(ask, name, tmp_path):
    content, fields, word = DATA[name]
    (tmp_path / "data.csv").write_bytes(content)
    (tmp_path / "recipe.toml").write_text(recipe_for(fields))
    for language in ("en", "zh"):
        said = ask(
            "run", tmp_path / "recipe.toml", "--workdir", tmp_path / "runs", "--lang", language
        )
        is_refused(said, language, tmp_path / "runs")
        assert language == "zh" or word in said.err, said.err
        assert re.search(r"data\.csv|none\.csv|" + re.escape(str(tmp_path)), said.err)


def test_the_good_data_are_good(ask, tmp_path, no_page):
    (tmp_path / "data.csv").write_bytes(TABLE)
    (tmp_path / "recipe.toml").write_text(recipe_for(""))
    said = ask("run", tmp_path / "recipe.toml", "--workdir", tmp_path / "runs")
    assert said.code == 0, said.err
