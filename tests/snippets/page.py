"""A page of documentation, cut into its fenced blocks."""

import re
from pathlib import Path
from typing import NamedTuple

HOME = Path(__file__).parents[2]
TOP = ("README.md", "README.zh-CN.md", "CONTRIBUTING.md")
PAGES = [*(HOME / name for name in TOP), *sorted((HOME / "docs").glob("**/*.md"))]
FENCE = re.compile(r'^```(\w*)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"\$ ((?:\w+=\S+ )*)(\S+) ?(.*)")


class Block(NamedTuple):
    """One fenced block: `name` is the file that it shows, if any; `line` is where it starts."""

    language: str
    name: str
    body: str
    line: int


class Command(NamedTuple):
    """One command of a console block, with the lines shown below it and the exit code it must have."""

    program: str
    arguments: str
    shown: tuple[str, ...]
    code: int


def name_of(page: Path) -> str:
    """Return the path of a page as a reader knows it."""
    return str(page.relative_to(HOME))


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found[1], found[2] or "", found[3], text.count("\n", 0, found.start()) + 1)
        for found in FENCE.finditer(text)
    ]


def commands(block: Block) -> list[Command]:
    """Return the commands of a console block; `$ echo $?` tells the exit code of the one before."""
    found: list[Command] = []
    for line in block.body.splitlines():
        if match := COMMAND.fullmatch(line):
            found.append(Command(match[2], match[3], (), 0))
        elif found:
            found[-1] = found[-1]._replace(shown=(*found[-1].shown, line))
    return _with_codes(found)


def _with_codes(found: list[Command]) -> list[Command]:
    kept: list[Command] = []
    for command in found:
        if command.program == "echo" and command.arguments == "$?":
            kept[-1] = kept[-1]._replace(code=int(command.shown[0]))
        else:
            kept.append(command)
    return kept
