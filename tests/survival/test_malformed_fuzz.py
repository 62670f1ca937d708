"""Recipes and tables that chance has spoilt or made: refused with place and remedy, or read as they were written."""

import copy
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fivefold.core.data import Dataset
from fivefold.data import Table, Texts
from fivefold.recipe import Recipe, read_recipe, recipe_from
from survival.faithful import is_faithful
from survival.malformed import ODD, good, refusal
from survival.test_malformed_data import GOOD, loaded

CALM: dict[str, Any] = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}  # fmt: skip
ROUNDS = [40, pytest.param(260, marks=pytest.mark.slow)]  # for each of four kinds of examples

PLAIN = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20)
)
ANY = st.recursive(PLAIN, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=8), x, max_size=3), max_leaves=6)  # fmt: skip
ODDITIES = st.sampled_from(list(ODD.values())) | ANY.filter(lambda x: x is not None)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where each value of a table is."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()  # fmt: skip
    return [at, *(p for k, v in inner for p in places(v, (*at, k)))]


@st.composite
def recipes(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the good recipe with up to three values replaced, taken out or added."""
    made = copy.deepcopy(good())
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from([p for p in places(made) if p] or [("name",)]))
        inner: Any = made
        for key in place[:-1]:
            inner = inner[key]
        match draw(st.sampled_from(["put", "take", "add"])):
            case "take":
                del inner[place[-1]]
            case "add" if isinstance(inner, dict):
                inner[draw(st.text(max_size=8))] = copy.deepcopy(draw(ODDITIES))
            case _:
                inner[place[-1]] = copy.deepcopy(draw(ODDITIES))
    return made


def tried(kind: Any, n: int, check: Any) -> None:
    """Check `n` examples."""
    settings(max_examples=n, **CALM)(given(kind)(check))()


@pytest.mark.parametrize("n", ROUNDS)
def test_recipes_with_values_replaced(n, tmp_path):
    refused: list[bool] = []

    def check(table: dict[str, Any]) -> None:
        made: list[Recipe] = []
        error = refusal(lambda: made.append(recipe_from(table)))
        refused.append(error is not None)
        for recipe in made:
            assert recipe_from(recipe.table(), folder=recipe.folder) == recipe
        try:
            told = tomli_w.dumps(table)
            told.encode()
        except (TypeError, ValueError):  # None and half characters have no place in TOML
            return
        path = tmp_path / "recipe.toml"
        path.write_text(told, encoding="utf-8", newline="")
        again: list[Recipe] = []
        refusal(lambda: again.append(read_recipe(path)))
        assert not again or "name" not in table or [r.table() for r in again] == [r.table() for r in made]  # fmt: skip

    tried(recipes(), n, check)
    assert sum(refused) > n / 2


@pytest.mark.parametrize("n", ROUNDS)
def test_recipe_files_with_bytes_replaced(n, tmp_path):
    content = tomli_w.dumps(good()).encode()
    path = tmp_path / "recipe.toml"

    def check(told: bytes) -> None:
        path.write_bytes(told)
        refusal(lambda: read_recipe(path))

    tried(spoilt(content), n, check)


@st.composite
def spoilt(draw: st.DrawFn, content: bytes) -> bytes:
    """Draw the content with up to four pieces replaced, doubled or taken out."""
    pieces = st.binary(max_size=6) | st.sampled_from([b'"', b"'''", b"\n", b"[", b"]", b"=", b".", b",", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xd6\xd0", b"9" * 400, b"nan", b"{", b"1e999", b"\r"])  # fmt: skip
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        stop = start + draw(st.integers(0, 8))
        content = content[:start] + draw(pieces) + content[stop:]
    return content


NUMBERS = st.floats(allow_nan=True, allow_infinity=True).map(repr) | st.integers(-(2**60), 2**60).map(str) | st.sampled_from(["", "NA", " 1", "+1", "1e5", "007", "-0", "1.", ".5", "1e-50", "1,5", "0x1", "１", "1_0", "inf", "NAN"])  # fmt: skip
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
CELLS = {"numbers": NUMBERS, "words": WORDS, "few": st.sampled_from(["a", "b", "c", ""]), "both": NUMBERS | WORDS}  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[str]]:
    """Draw a table of text; the cells of a column are of one kind."""
    rows = draw(st.integers(1, 40))
    names = draw(st.lists(WORDS.map(str.strip).filter(bool), min_size=1, max_size=3, unique=True))
    kinds = [draw(st.sampled_from(list(CELLS))) for _ in names]
    made = {n: draw(st.lists(CELLS[k], min_size=rows, max_size=rows)) for n, k in zip(names, kinds, strict=True)}  # fmt: skip
    target = st.sampled_from(["yes", "no"]) | (NUMBERS if draw(st.booleans()) else st.nothing())
    return made | {"ill": draw(st.lists(target, min_size=rows, max_size=rows))}


def write(written: dict[str, list[str]], folder: Path) -> None:
    """Write a table as CSV and as JSON Lines, by Python's own writers."""
    out = io.StringIO()
    rows = list(zip(*written.values(), strict=True))
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([list(written), *rows])
    (folder / "a.csv").write_text(out.getvalue(), encoding="utf-8", newline="")
    lines = [json.dumps(dict(zip(written, row, strict=True))) for row in rows]
    (folder / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.parametrize("n", ROUNDS)
def test_tables_that_chance_has_made(n, tmp_path):
    taken: list[bool] = []

    def check(written: dict[str, list[str]]) -> None:
        write(written, tmp_path)
        found: list[Dataset] = []
        for path in ("a.csv", "a.jsonl"):
            if refusal(lambda path=path: found.append(loaded(Table, tmp_path, path=path, target="ill"))) is None:  # fmt: skip
                assert is_faithful(found[-1], written, "ill"), (path, written)
        taken.append(bool(found))
        assert len(found) in (0, 2), "a file is taken and the same table in another is not"

    tried(tables(), n, check)
    assert sum(taken) > n / 20


@pytest.mark.parametrize("n", ROUNDS)
def test_files_with_bytes_replaced(n, tmp_path):
    def check(told: bytes) -> None:
        (tmp_path / "a.csv").write_bytes(told)
        found: list[Dataset] = []
        if refusal(lambda: found.append(loaded(Table, tmp_path, path="a.csv", target="ill"))) is None:  # fmt: skip
            assert is_faithful(found[0], by_hand(told), "ill"), told
        refusal(lambda: loaded(Texts, tmp_path, path="a.csv", target="ill", text="w"))

    tried(spoilt(GOOD.encode()), n, check)


def by_hand(told: bytes) -> dict[str, list[str]]:
    """Return the columns of a file, by Python's own reader."""
    text = told.decode("utf-8-sig")
    names, *rows = [r for r in csv.reader(io.StringIO(text, newline="")) if r]
    return {n.strip(): [r[i] for r in rows] for i, n in enumerate(names)}
