"""Recipes and values that cannot be, or only just can, and what every answer to them must hold."""

import copy
import datetime
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fivefold.core.errors import FivefoldError

LANGUAGES = ("en", "zh")

ODD: dict[str, Any] = {
    "nothing": "",
    "a space": " ",
    "NUL": "a\0b",
    "up": "../x",
    "a folder": "a/b",
    "a backslash": "a\\b",
    "a dot": ".",
    "a device": "CON",
    "a device in small letters": "nul",
    "an option": "--help",
    "endless": "x" * 10_000,
    "a tilde": "~",
    "right to left": "a\u202eb",
    "a joiner": "a\u200db",
    "an accent of its own": "e\u0301",
    "emoji": "😀",
    "colour": "\x1b[31mred",
    "a bell and a line": "a\a\nb",
    "braces": "{value}{0}{}",
    "a percent sign": "%s%n",
    "a minus": -1,
    "nought": 0,
    "62 bits": 2**62,
    "63 bits": 2**63 - 1,
    "64 bits": 2**64,
    "20,000 bits": 2**20_000,
    "huge": 1e308,
    "NaN": float("nan"),
    "infinite": float("-inf"),
    "true": True,
    "a day": datetime.date(2026, 2, 28),
    "a time": datetime.time(7, 32),
    "a moment": datetime.datetime(2026, 2, 28, 7, 32, tzinfo=datetime.UTC),
    "no list": [],
    "lists": [[], [[]]],
    "a mixture": [1, "a", {}],
    "no table": {},
    "a table": {"a": {"b": [1, {"c": 2}]}},
    "a part": {"use": "learning.Accuracy"},
}

PLACES: dict[str, tuple[str | int, ...]] = {
    "name": ("name",),
    "seed": ("seed",),
    "preset": ("preset",),
    "plugins": ("plugins",),
    "a plug-in": ("plugins", 0),
    "a step's name": ("steps", 0, "name"),
    "a step's parent": ("steps", 0, "after"),
    "a step's use": ("steps", 0, "use"),
    "epochs": ("steps", 0, "epochs"),
    "an optimizer": ("steps", 0, "optimizer"),
    "the width": ("model", "hidden"),
    "one width": ("model", "hidden", 0),
    "the path": ("data", "path"),
    "a column": ("data", "columns", "age"),
    "steps": ("steps",),
    "a probe": ("probes", 0),
}


def good(**data: Any) -> dict[str, Any]:
    """Return a recipe that is as it should be."""
    return {
        "name": "good",
        "seed": 3,
        "preset": "none",
        "plugins": ["toy"],
        "data": {"use": "data.Table", "path": "people.csv", "target": "ill", "columns": {"age": {}}}
        | data,
        "model": {"use": "models.MLP", "hidden": [4]},
        "steps": [{"name": "plain", "after": "start", "use": "learning.Finetune", "epochs": 1}],
        "probes": [{"use": "learning.Accuracy"}],
    }


def changed(place: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """Return the good recipe with another value at one place."""
    made = copy.deepcopy(good())
    inner: Any = made
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return made


def refusal(ask: Callable[[], object]) -> FivefoldError | None:
    """Return the refusal, whose place, remedy and words in both languages are checked; None if it went well."""
    try:
        ask()
    except FivefoldError as error:
        assert error.code == 3, error
        assert error.where, error
        assert error.mend, error
        for language in LANGUAGES:
            words = error.words(language)
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e]", words)
            assert len(words) < 60_000
        assert error.words("zh") != error.words("en")
        return error
    return None


def left_in(folder: Path, known: set[str]) -> set[str]:
    """Return the names of files in a folder that nobody asked for."""
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - known
