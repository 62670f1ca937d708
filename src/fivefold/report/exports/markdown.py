"""An answered framework as Markdown."""

import re
from collections.abc import Iterator

from fivefold.core.evidence import Evidence
from fivefold.core.text import Language, text, translate
from fivefold.report.exports.sheet import DISCLAIMER, Answer, Sheet
from fivefold.report.exports.told import by_line, number_told, reproduction

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~])")


def evidence_markdown(sheet: Sheet) -> str:
    """Return an answered framework as Markdown, the counts first."""
    return "\n".join(_lines(sheet)).rstrip() + "\n"


def _lines(sheet: Sheet) -> Iterator[str]:
    language, subject = sheet.language, sheet.subject
    yield f"# {_plain(sheet.title)}"
    yield ""
    yield f"**{_plain(DISCLAIMER.words(language))}**"
    yield ""
    yield _plain(sheet.source)
    yield ""
    yield f"{_plain(subject.run.name)} · {_plain(subject.stage.name)} · {_plain(subject.run.created)}"
    yield ""
    yield from _counts(sheet)
    for section in sheet.sections:
        yield f"## {_plain(f'{section.number} {section.title}'.strip())}"
        yield ""
        for answer in section.answers:
            yield from _answer(answer, sheet)


def _counts(sheet: Sheet) -> Iterator[str]:
    names = [translate(name, sheet.language) for name in sheet.counts]
    yield f"| {' | '.join(names)} |"
    yield "|" + "---|" * len(names)
    yield f"| {' | '.join(str(n) for n in sheet.counts.values())} |"
    yield ""


def _answer(answer: Answer, sheet: Sheet) -> Iterator[str]:
    language = sheet.language
    state = translate(answer.state, language)
    partly = f" ({translate('partly', language)})" if answer.is_partial else ""
    yield f"### {_plain(f'{answer.number} {answer.demand}'.strip())}"
    yield ""
    yield f"**{state}**{partly}"
    yield ""
    for evidence in answer.evidence:
        yield f"- {_number(evidence, language)}"
    for recorded in answer.recorded:
        yield f"- {_plain(recorded.name)}"
        yield from (f"  - {_plain(line)}" for line in recorded.lines)
    for stated in answer.stated:
        said = by_line(stated.by, stated.when)
        told = (
            f"- {translate('stated', language)}: *{_plain(stated.question)}* {_plain(stated.words)}"
        )
        yield told + (f" ({_plain(said)})" if said else "")
    for lack in answer.lacking:
        why = f" {_plain(lack.reason)}" if lack.reason else ""
        yield f"- {translate('MISSING', language)}: {_plain(lack.name)}{why} → {_plain(lack.mend)}"
    if answer.rest:
        yield f"- {translate('Not covered', language)}: {_plain(answer.rest)}"
    if answer.evidence or answer.recorded:
        yield f"- {translate('To reproduce', language)}: {_plain(reproduction(sheet.subject, language))}"
    yield ""


def _number(evidence: Evidence, language: Language) -> str:
    told = number_told(evidence, language)
    bounds = text("95 % interval {bounds}", bounds=told["interval"]) if told["interval"] else text("exact")  # fmt: skip
    parts = (told["value"], bounds.words(language), f"n = {told['n']}", told["how"])
    inside = ", ".join(dict.fromkeys(part for part in parts if part))
    where = f" ({_plain(told['setting'])})" if told["setting"] else ""
    note = f". {_plain(told['note'])}" if told["note"] else ""
    return f"{_plain(told['name'])}{where}: {_plain(inside)}{note}"


def _plain(told: str) -> str:
    """Return text that Markdown and HTML take as it is, on one line."""
    one_line = _MARKUP.sub(r"\\\1", " ".join(told.split()))
    return one_line.replace("\\<", "&lt;").replace("\\>", "&gt;")
