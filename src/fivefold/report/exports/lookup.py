"""Find the numbers that a row asks for, or say why there are none and what to do."""

import re
from dataclasses import dataclass

from fivefold.core.codec import import_class
from fivefold.core.evidence import Evidence
from fivefold.core.text import Language, Text, text
from fivefold.report.exports.model_facts import lacking
from fivefold.report.exports.subject import Subject
from fivefold.report.exports.tables import producers
from fivefold.report.words import capital, title, words


@dataclass(frozen=True, kw_only=True)
class Lacking:
    """What a row asks for and does not get.

    Attributes:
        key: Key of the number, the fact or the statement.
        name: What it is, or the question to the author.
        mend: What to do to fill it.
        reason: Why it is not there; "" if nobody asked for it.
    """

    key: str
    name: str
    mend: str
    reason: str = ""


def alternatives(selector: str) -> tuple[str, ...]:
    """Return the numbers that a selector takes: `a | b` is any of them."""
    return tuple(part.strip() for part in selector.split("|"))


def look_up(
    selector: str, subject: Subject, language: Language
) -> tuple[tuple[Evidence, ...], Lacking | None]:
    """Return all evidence at the stage that a selector takes; if there is none, what is lacking."""
    keys = alternatives(selector)
    found = tuple(e for e in subject.stage.evidence if f"{e.axis}.{e.name}" in keys)
    return (found, None) if found else ((), _lacking(keys, subject, language))


def _lacking(keys: tuple[str, ...], subject: Subject, language: Language) -> Lacking:
    name = " / ".join(capital(title(key.partition(".")[2], language)) for key in keys)
    reasons = [
        words(missing.reason, language)
        for missing in lacking(subject.stage)
        if _speaks_of(f"{missing.axis}.{missing.name}", keys)
    ]
    return Lacking(
        key=" | ".join(keys),
        name=name,
        mend=_mend(keys, subject).words(language),
        reason=" ".join(dict.fromkeys(reasons)),
    )


def _speaks_of(key: str, keys: tuple[str, ...]) -> bool:
    """Whether something missing is one of `keys`; a probe that failed as a whole is missing by its own name."""
    probes = {_snake(producers()[k].use) for k in keys}
    return key in keys or key in probes


def _snake(use: str) -> str:
    axis, _, name = use.rpartition(".")
    return f"{axis}." + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _mend(keys: tuple[str, ...], subject: Subject) -> Text:
    task = subject.run.data.task.kind
    fitting = [p for p in (producers()[key] for key in keys) if task in _tasks(p.use)]
    if not fitting:
        return text("This number is not defined for this task ({task}); state in words how it was judged.", task=task)  # fmt: skip
    return text(
        "Add {use} to [[{table}]] of the recipe and run it again.",
        use=fitting[0].use,
        table=fitting[0].table,
    )


def _tasks(use: str) -> tuple[str, ...]:
    """Return the tasks that a probe is asked about; a comparison is asked about all."""
    return getattr(import_class(use), "tasks", ("classification", "regression"))
