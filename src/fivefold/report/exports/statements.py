"""What the author states of a model and no run can measure, with who said it and when."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from fivefold.core.errors import BadInput, BadRecipe
from fivefold.core.text import Language, translate
from fivefold.recipe.tomlfile import TomlFile, read_toml
from fivefold.report.exports.tables import questions

FILE = "statements.toml"
MOST_LETTERS = 20_000
INTRODUCTION = (
    "What you state of the model and no run can measure, for: fivefold report RUN --evidence annex-iv --statements {file}",
    "Take away the # before a line and write between the quotes. What stays empty is shown as MISSING.",
    "A single statement may have an author and a date of its own:",
)


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One answer of the author.

    Attributes:
        words: The answer, as it was written.
        by: Who says so; "" if the file does not tell.
        when: When it was said; "" if the file does not tell.
    """

    words: str
    by: str = ""
    when: str = ""


@dataclass(frozen=True, kw_only=True)
class Statements:
    """All answers of the author.

    Attributes:
        answers: The answers, by question.
    """

    answers: Mapping[str, Statement] = field(default_factory=dict[str, Statement])


def read_statements(path: Path) -> Statements:
    """Return the statements in a TOML file.

    Raises:
        BadInput: Not there, not TOML, an unknown question, or an answer that is no text; says which line.
    """
    if not path.is_file():
        raise BadInput(
            "There is no file with statements here.",
            where=str(path),
            mend='"fivefold init" writes an empty one.',
        )
    file = read_toml(path)
    by, when = (_told(file, key, file.table.get(key, "")) for key in ("by", "when"))
    answers: dict[str, Statement] = {}
    for key, value in file.table.items():
        if key in ("by", "when"):
            continue
        if key not in questions():
            raise _unknown(file, key, ("by", "when", *questions()))
        answer = _answer(file, key, value, Statement(words="", by=by, when=when))
        if answer.words:
            answers[key] = answer
    return Statements(answers=answers)


def found_statements(folder: Path, named: Path | None = None) -> Statements:
    """Return the statements in the file `named`, else in the run folder, else none."""
    beside = folder / FILE
    if named is None and not beside.is_file():
        return Statements()
    return read_statements(named or beside)


def empty_statements(file: str = FILE, language: Language = "en") -> str:
    """Return a file of statements to fill in: every question, commented out."""
    first, second, third = (translate(line, language) for line in INTRODUCTION)
    lines = [f"# {first.format(file=file)}", f"# {second}", "", '# by = ""', '# when = ""', ""]
    for key, question in questions().items():
        lines += [f"# {question.words(language)}", f'# {key} = ""', ""]
    return "\n".join([*lines, f"# {third}", '# limits = { words = "", by = "", when = "" }', ""])


def _answer(file: TomlFile, key: str, value: Any, default: Statement) -> Statement:
    if not isinstance(value, dict):
        return Statement(words=_told(file, key, value), by=default.by, when=default.when)
    for inner in value:
        if inner not in ("words", "by", "when"):
            raise _unknown(file, f"{key}.{inner}", ("words", "by", "when"))
    given = {inner: _told(file, f"{key}.{inner}", told) for inner, told in value.items()}
    return Statement(
        words=given.get("words", ""),
        by=given.get("by") or default.by,
        when=given.get("when") or default.when,
    )


def _told(file: TomlFile, key: str, value: Any) -> str:
    """Return a text without the space around it; a date counts as one."""
    if isinstance(value, date):
        return value.isoformat()
    if not isinstance(value, str):
        raise BadRecipe(
            "{value} is not a text.",
            where=file.place(key),
            mend="Write the answer between quotes.",
            value=repr(value)[:80],
        )
    if len(value) > MOST_LETTERS:
        raise BadRecipe(
            "This answer has {n} letters; at most {most} are shown.",
            where=file.place(key),
            mend="Write a summary and name the document.",
            n=len(value),
            most=MOST_LETTERS,
        )
    return value.strip()


def _unknown(file: TomlFile, key: str, known: tuple[str, ...]) -> BadRecipe:
    name = key.rpartition(".")[2]
    near = get_close_matches(name, known, n=1)
    return BadRecipe(
        "Nobody asks for {key}.",
        where=file.place(key),
        mend="Did you mean {near}? It has: {known}." if near else "It has: {known}.",
        key=key,
        near=near[0] if near else "",
        known=", ".join(known),
    )
