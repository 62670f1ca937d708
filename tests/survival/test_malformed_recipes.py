"""Recipes with a strange value at any place: refused with place and remedy, or read as they were written."""

import tomllib
from typing import Any

import pytest
import tomli_w

from fivefold.core.errors import BadRecipe
from fivefold.recipe import Recipe, read_recipe, recipe_from
from survival.malformed import ODD, PLACES, changed, good, left_in, refusal

CASES = [(place, odd) for place in PLACES for odd in ODD]
HUGE = hex(2**20_000)
# what is wrong -> (text before the recipe, text after it, line of the added text that must be named or 0, a word that must be said)
STRUCTURE: dict[str, tuple[str, str, int, str]] = {
    "brackets without end": ("x = " + "[" * 100_000 + "\n", "", 0, "deep"),
    "a hundred lists": ("policy = {a = " + "[" * 100 + "]" * 100 + "}\n", "", 1, "deep"),
    "two thousand lists": ("x = " + "[" * 2000 + "]" * 2000 + "\n", "", 0, "deep"),
    "a thousand tables": ("policy = " + "{a = " * 1000 + "1" + "}" * 1000 + "\n", "", 0, "deep"),
    "ten thousand dots": ("policy." + ".".join("a" * 10_000) + " = 1\n", "", 1, "deep"),
    "half a million dots": ("policy." + "a." * 490_000 + "a = 1\n", "", 1, "deep"),
    "dots in a header": ("", "[policy." + ".".join("a" * 100) + "]\n", 1, "deep"),
    "quoted dots": ("policy." + '"a"' + '."a"' * 100 + " = 1\n", "", 1, "deep"),
    "5,000 digits": ("x = " + "9" * 5000 + "\n", "", 0, "digits"),
    "a float of 5,000 digits": ("x = 0." + "9" * 5000 + "\n", "", 1, "x"),
    "a hexadecimal number": (f"x = {HUGE}\n", "", 1, "large"),
    "a hexadecimal limit": (f"policy = {{limits = [{HUGE}]}}\n", "", 1, "large"),
    "a binary number": ("x = 0b" + "1" * 70 + "\n", "", 1, "large"),
    "an empty key": ('"" = 1\n', "", 0, "A recipe has no"),
    "a key of spaces": ('" " = 1\n', "", 0, "A recipe has no"),
    "a key that colours": ('"\\u001b[31m" = 1\n', "", 0, "x1b[31m"),
    "a key that turns round": ('"\\u202eeman" = 1\n', "", 0, "u202e"),
    "a key with braces": ('"{key}" = 1\n', "", 0, "{key}"),
    "a key with a NUL": ('"a\\u0000" = 1\n', "", 0, "x00"),
    "a key of a thousand characters": ("x" * 1000 + " = 1\n", "", 1, "xxx"),
    "a key by another alphabet": ('"nаme" = "x"\n', "", 0, "nаme"),
    "half a character": ('x = "\\ud800"\n', "", 1, "TOML"),
    "a year of nought": ("x = 0000-01-01\n", "", 1, "TOML"),
    "a day that is not": ("x = 2026-02-30\n", "", 1, "TOML"),
    "a month that is not": ("x = 2026-13-01\n", "", 1, "TOML"),
    "an hour that is not": ("x = 25:00:00\n", "", 1, "TOML"),
    "an octal number": ("x = 0o9\n", "", 1, "TOML"),
    "a nought in front": ("seed = 007\n", "", 1, "TOML"),
    "two signs": ("seed = --1\n", "", 1, "TOML"),
    "an underscore at the end": ("seed = 1_\n", "", 1, "TOML"),
    "a comma twice": ("plugins = [,,]\n", "", 1, "TOML"),
    "a line in a string": ('x = "a\nb"\n', "", 1, "TOML"),
    "an unknown escape": ('x = "\\x41"\n', "", 1, "TOML"),
    "a control character": ('x = "a\x01b"\n', "", 1, "TOML"),
    "a carriage return": ("x = 1\ry = 2\n", "", 1, "TOML"),
    "a table that is a value": ("steps = 1\n", "", 0, "TOML"),
    "steps in a table": ("", "[steps.x]\na = 1\n", 0, "Finetune"),
    "a parent that comes later": (
        "", '[[steps]]\nname = "a"\nafter = "b"\nuse = "learning.Finetune"\n'
        '[[steps]]\nname = "b"\nafter = "a"\nuse = "learning.Finetune"\n', 3, "b",
    ),
    "a ring of three": (
        "", "".join(f'[[steps]]\nname = "{a}"\nafter = "{b}"\nuse = "learning.Finetune"\n' for a, b in ("ab", "bc", "ca")), 3, "b",
    ),
    "a name twice": ("", '[[steps]]\nname = "plain"\nuse = "learning.Finetune"\n', 2, "plain"),
    "the default name twice": (
        "", '[[steps]]\nname = "3-finetune"\nuse = "learning.Finetune"\n[[steps]]\nuse = "learning.Finetune"\n', 0, "3-finetune",
    ),
    "a parent in other letters": ("", '[[steps]]\nafter = "Plain"\nuse = "learning.Finetune"\n', 2, "Plain"),
    "a parent with a space": ("", '[[steps]]\nafter = "plain "\nuse = "learning.Finetune"\n', 2, "plain"),
    "a step that is no step": ("", '[[steps]]\nuse = "core.evidence.Evidence"\n', 0, "Evidence"),
    "a module that runs": ("", '[[steps]]\nuse = "__main__.X"\n', 2, "__main__"),
    "nothing but dots": ("", '[[steps]]\nuse = "....."\n', 2, "....."),
    "a colon alone": ("", '[[steps]]\nuse = ":"\n', 2, ":"),
    "a use of 100,000 letters": ("", '[[steps]]\nuse = "' + "a" * 100_000 + '.B"\n', 2, "aaa"),
    "an optimizer in an optimizer": (
        "", '[[steps]]\nuse = "learning.Finetune"\noptimizer = ' + '{use = "training.AdamW", lr = ' * 80 + "1" + "}" * 80 + "\n", 3, "deep",
    ),
    "a list as a policy": ("policy = [1]\n", "", 1, "policy"),
}  # fmt: skip


def around(before: str, after: str) -> str:
    """Return the good recipe with something before and after it, its lists of tables written out."""
    table = {k: v for k, v in good().items() if k not in ("steps", "probes", "seed", "plugins")}
    step, probe = good()["steps"][0], good()["probes"][0]
    told = tomli_w.dumps(table)
    told += "[[steps]]\n" + tomli_w.dumps(step) + "[[probes]]\n" + tomli_w.dumps(probe)
    return before + told + after


def test_they_are_as_many_as_they_should_be():
    assert len(CASES) + len(STRUCTURE) > 600


@pytest.mark.parametrize("place", PLACES)
def test_a_strange_value(place):
    refused = 0
    for odd, value in ODD.items():
        table = changed(PLACES[place], value)
        made: list[Recipe] = []
        error = refusal(lambda table=table, made=made: made.append(recipe_from(table)))
        if error is None:
            assert recipe_from(made[0].table()) == made[0], odd
            assert is_as_written(made[0], PLACES[place], value), (odd, made[0])
        refused += error is not None
    assert refused > len(ODD) / 3


def is_as_written(recipe: Recipe, place: tuple[str | int, ...], value: Any) -> bool:
    """Whether the recipe says what was written; what a list or table leaves out has its default."""
    told: Any = recipe.table()
    for key in place:
        told = told[key]
    return value in ({}, []) or told == value or isinstance(value, dict) or recipe.name == value


@pytest.mark.parametrize("name", STRUCTURE)
def test_a_strange_file(name, tmp_path):
    before, after, line, word = STRUCTURE[name]
    path = tmp_path / "recipe.toml"
    path.write_text(around(before, after), encoding="utf-8", newline="")
    error = refusal(lambda: read_recipe(path))
    assert isinstance(error, BadRecipe), "it was taken for good"
    assert error.where.startswith(str(path))
    assert word in str(error)
    line += around("", "").count("\n") if after and line else 0
    assert not line or f"{path}:{line} " in f"{error.where} " or f"{path}:{line}:" in error.where, (
        error.where
    )
    assert not left_in(tmp_path, {"recipe.toml"})


@pytest.mark.parametrize("odd", ODD)
def test_a_strange_value_in_a_file_is_the_same_as_in_a_table(odd, tmp_path):
    path = tmp_path / "recipe.toml"
    for place in (PLACES["name"], PLACES["a step's parent"], PLACES["epochs"], PLACES["steps"]):
        table = changed(place, ODD[odd])
        try:
            told = tomli_w.dumps(table)
        except ValueError:  # more digits than Python writes
            continue
        path.write_text(told, encoding="utf-8", newline="")
        assert tomli_w.dumps(tomllib.loads(told)) == told
        here, there = refusal(lambda: read_recipe(path)), refusal(lambda table=table: recipe_from(table))  # fmt: skip
        assert (here is None) == (there is None)
        if here is not None and there is not None:
            assert str(here.what) == str(there.what)
            assert here.where.startswith(str(path))


def test_a_hundred_steps_are_no_fault(tmp_path):
    path = tmp_path / "recipe.toml"
    told = "".join(f'[[steps]]\nname = "s{i}"\nuse = "learning.Finetune"\n' for i in range(100))
    path.write_text(around("", told), encoding="utf-8")
    assert [s.after for s in read_recipe(path).steps][-1] == "s98"


def test_a_plugin_that_lacks_a_package_says_which(tmp_path, monkeypatch):
    (tmp_path / "lacking.py").write_text("import not_installed_at_all\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    table = changed(("steps", 0, "use"), "lacking:Step") | {"plugins": ["lacking"]}
    error = refusal(lambda: recipe_from(table))
    assert error is not None
    assert "not_installed_at_all" in str(error)
