"""A framework answered from one run: every row is measured, stated or MISSING."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from fivefold.core.evidence import Evidence
from fivefold.core.text import Language, Text, translate
from fivefold.report.exports.facts import FACTS
from fivefold.report.exports.lookup import Lacking, look_up
from fivefold.report.exports.subject import Subject
from fivefold.report.exports.tables import Demand, FrameworkName, framework, questions
from fivefold.report.words import words

State: TypeAlias = Literal["measured", "stated", "MISSING"]
STATES: tuple[State, ...] = ("measured", "stated", "MISSING")
DISCLAIMER = Text(
    "This is evidence, not a declaration: it claims no conformity with any law, standard or framework. Whether a demand is met is for people to decide."
)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What the run records besides its numbers.

    Attributes:
        key: Key of the fact.
        name: What it is.
        lines: What is recorded.
    """

    key: str
    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Stated:
    """What the author says.

    Attributes:
        key: Key in the file of statements.
        question: What was asked.
        words: The answer, as it was written.
        by: Who says so; "" if the file does not tell.
        when: When it was said; "" if the file does not tell.
    """

    key: str
    question: str
    words: str
    by: str
    when: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One row with everything that answers it.

    Attributes:
        id: Name of the row, unique in its framework.
        number: Number in the framework; "" where none is certain.
        demand: What is asked, in our own words.
        state: How it is answered. What a number must answer is measured only if there is a number, and
            what the author must answer is not answered by what the run records.
        evidence: Numbers.
        recorded: What the run records besides.
        stated: What the author says.
        lacking: What is not there, and what to do about it.
        rest: What no run can cover; "" if a run can cover all.
    """

    id: str
    number: str
    demand: str
    state: State
    evidence: tuple[Evidence, ...]
    recorded: tuple[Recorded, ...]
    stated: tuple[Stated, ...]
    lacking: tuple[Lacking, ...]
    rest: str

    @property
    def is_partial(self) -> bool:
        """Whether something answers it, but not all that is asked."""
        return self.state != "MISSING" and bool(self.lacking or self.rest)


@dataclass(frozen=True, kw_only=True)
class Section:
    """Rows that belong together.

    Attributes:
        number: Number in the framework.
        title: Heading.
        answers: The rows.
    """

    number: str
    title: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A framework, answered.

    Attributes:
        framework: Its short name.
        title: Its name.
        source: Where its rows come from.
        language: Language of all words but the author's.
        subject: What it speaks of.
        sections: The rows.
    """

    framework: FrameworkName
    title: str
    source: str
    language: Language
    subject: Subject
    sections: tuple[Section, ...]

    @property
    def answers(self) -> tuple[Answer, ...]:
        """All rows."""
        return tuple(answer for section in self.sections for answer in section.answers)

    @property
    def counts(self) -> dict[str, int]:
        """How many rows are in each state, and how many are answered in part."""
        found = {state: sum(a.state == state for a in self.answers) for state in STATES}
        return found | {"partly": sum(a.is_partial for a in self.answers)}


def sheet(name: FrameworkName, subject: Subject, language: Language | None = None) -> Sheet:
    """Return a framework answered from one run.

    Args:
        name: Which framework.
        subject: The model it is asked about.
        language: Language of the answers; by default the one that the framework is read in.
    """
    asked = framework(name)
    spoken = language or asked.language
    sections = tuple(
        Section(
            number=group.number,
            title=group.words(spoken),
            answers=tuple(_answer(demand, subject, spoken) for demand in group.rows),
        )
        for group in asked.groups
    )
    return Sheet(
        framework=name,
        title=asked.title.words(spoken),
        source=asked.source.words(spoken),
        language=spoken,
        subject=subject,
        sections=sections,
    )


def _answer(demand: Demand, subject: Subject, language: Language) -> Answer:
    numbers = [look_up(selector, subject, language) for selector in demand.evidence]
    evidence = tuple(e for found, _ in numbers for e in found)
    lacking = [lack for _, lack in numbers if lack]
    recorded = tuple(_recorded(demand, subject, language))
    stated = tuple(_stated(demand, subject, language))
    known = {r.key for r in recorded} | {s.key for s in stated}
    lacking += [_no_fact(key, language) for key in demand.facts if key not in known]
    lacking += [_no_statement(key, language) for key in demand.statements if key not in known]
    is_recorded = recorded and not demand.evidence and not demand.needs
    is_measured = evidence or is_recorded
    return Answer(
        id=demand.id,
        number=demand.number,
        demand=demand.words(language),
        state="measured" if is_measured else "stated" if stated else "MISSING",
        evidence=evidence,
        recorded=recorded,
        stated=stated,
        lacking=tuple(lacking),
        rest=demand.rest.words(language) if demand.rest else "",
    )


def _recorded(demand: Demand, subject: Subject, language: Language) -> Iterator[Recorded]:
    for key in demand.facts:
        fact = FACTS[key]
        lines = tuple(words(line, language) for line in fact.read(subject))
        if lines:
            yield Recorded(key=key, name=fact.name.words(language), lines=lines)


def _stated(demand: Demand, subject: Subject, language: Language) -> Iterator[Stated]:
    for key in demand.statements:
        if answer := subject.statements.answers.get(key):
            question = questions()[key].words(language)
            yield Stated(
                key=key, question=question, words=answer.words, by=answer.by, when=answer.when
            )


def _no_fact(key: str, language: Language) -> Lacking:
    fact = FACTS[key]
    return Lacking(key=key, name=fact.name.words(language), mend=fact.mend.words(language))


def _no_statement(key: str, language: Language) -> Lacking:
    mend = translate("Write {key} into statements.toml and give it with --statements.", language)
    return Lacking(key=key, name=questions()[key].words(language), mend=mend.format(key=key))
