"""TOML files that know where their lines are."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fivefold.core.errors import BadRecipe

MOST_BYTES = 1_000_000
DEEPEST = 64  # tables within tables; no recipe has ten
LARGEST = 2**63  # TOML promises no more
ENDLESS = re.compile(rf"(?<![\w\"'-])(?:[\w\"'-]+[ \t]*\.[ \t]*){{{DEEPEST}}}")


class TomlFile(NamedTuple):
    """The table of a file, with its text for pointing at lines."""

    path: Path
    text: str
    table: dict[str, Any]

    def place(self, inner: str) -> str:
        """Return `inner` (such as `steps[1].lr`) as file, line and path."""
        line = line_of(self.text, inner)
        return f"{self.path}:{line} ({inner})" if line else f"{self.path} ({inner})"


def read_toml(path: Path) -> TomlFile:
    """Return what a TOML file says.

    Raises:
        BadRecipe: It is not there, not text in UTF-8, too large, nested without end, or not TOML; says
            which line.
    """
    text = _text_of(path)
    if found := ENDLESS.search(text):
        raise _too_deep(f"{path}:{text[: found.start()].count(chr(10)) + 1}")
    file = TomlFile(path, text, _parsed(path, text))
    try:
        check_plain(file.table)
    except BadRecipe as error:
        raise error.at(file.place(error.where)) from error
    return file


def check_plain(value: Any, where: str = "", depth: int = 0) -> None:
    """Refuse what no recipe needs and what other programs would choke on.

    Raises:
        BadRecipe: A number has more than 64 bits, or tables and lists are nested without end.
    """
    if depth > DEEPEST:
        raise _too_deep(where)
    if isinstance(value, Mapping):
        for key, inner in value.items():
            check_plain(inner, f"{where}.{key}" if where else str(key), depth + 1)
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            check_plain(inner, f"{where}[{i}]", depth + 1)
    elif isinstance(value, int) and not -LARGEST <= value < LARGEST:
        raise BadRecipe(
            "{value} is too large.", where=where, mend="Change the value.", value=hex(value)[:20]
        )


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise _too_deep(str(path)) from error
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        where = f"{path}:{place[1]}:{place[2]}" if place else f"{path}"
        raise BadRecipe(
            "This is not TOML: {problem}.",
            where=where,
            mend="Mend that line; strings need quotes, tables stand in [brackets].",
            problem=re.sub(r" \(at .*\)", "", str(error)),
        ) from error
    except ValueError as error:  # Python reads no number of more than 4300 digits
        raise BadRecipe(
            "A number in this file has too many digits.",
            where=str(path),
            mend="Change the value.",
        ) from error


def _too_deep(where: str) -> BadRecipe:
    return BadRecipe(
        "Tables and lists are nested more than {most} deep.",
        where=where,
        mend="Write it flatter.",
        most=DEEPEST,
    )


def _text_of(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadRecipe(
            "This file cannot be read: {problem}.",
            where=str(path),
            mend="Check the path; fivefold init writes a recipe to start from.",
            problem=error.strerror or type(error).__name__,
        ) from error
    if len(data) > MOST_BYTES:
        raise BadRecipe(
            "This file has {n} bytes; a recipe has at most {most}.",
            where=str(path),
            mend="Is it the right file? Data belong in a file of their own.",
            n=len(data),
            most=MOST_BYTES,
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadRecipe(
            "This file is not text in UTF-8.",
            where=f"{path}:{line}",
            mend="Save it again as UTF-8.",
        ) from error


def line_of(text: str, inner: str) -> int:
    """Return the 1-based line on which `inner` (such as `steps[1].lr`) is set; 0 if it cannot be told.

    Falls back to the closest enclosing key or header.
    """
    wanted = [p for p in re.split(r"\.|(?=\[)", inner) if p]
    header: list[str] = []
    seen: dict[str, int] = {}
    best, depth = 0, 0
    for number, line in enumerate(text.splitlines(), start=1):
        if found := re.match(r"\s*\[\[\s*([\w.\-]+)\s*\]\]", line):
            seen[found[1]] = seen.get(found[1], -1) + 1
            header = [*found[1].split("."), f"[{seen[found[1]]}]"]
            here = header
        elif found := re.match(r"\s*\[\s*([\w.\-]+)\s*\]", line):
            header = found[1].split(".")
            here = header
        elif found := re.match(r"\s*([\w\-.\"']+)\s*=", line):
            here = [*header, *found[1].replace('"', "").split(".")]
        else:
            continue
        shared = min(len(here), len(wanted))
        is_array = here is header and here[-1] == "[0]" and here[:-1] == wanted
        if shared > depth and (wanted[: len(here)] == here or is_array):
            best, depth = number, shared
    return best
