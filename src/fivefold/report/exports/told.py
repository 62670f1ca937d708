"""An answered framework as words and numbers that a page, a text or a file shows; nothing is decided here."""

from typing import Any

from fivefold.core.evidence import Evidence
from fivefold.core.text import Language, text, translate
from fivefold.report.exports.sheet import DISCLAIMER, Answer, Sheet
from fivefold.report.exports.subject import Subject
from fivefold.report.number import finite, scale_for
from fivefold.report.words import capital, setting, title, words

SCHEMA = "fivefold.evidence/1"


def number_told(evidence: Evidence, language: Language) -> dict[str, str]:
    """Return one number as people read it."""
    scale = scale_for(evidence.unit, (evidence.value, evidence.low, evidence.high))
    is_told = scale.unit in (
        "",
        "fraction",
        evidence.name,
    )  # "2,114 parameters" beside "Parameters"
    unit = "" if is_told else f" {translate(scale.unit, language)}"
    is_exact = evidence.low == evidence.high
    return {
        "name": capital(title(evidence.name, language)),
        "value": scale.show(evidence.value) + unit,
        "interval": "" if is_exact else scale.interval(evidence.low, evidence.high),
        "how": translate(evidence.interval, language),
        "n": f"{evidence.n:,}",
        "setting": setting(evidence.setting, language) if evidence.setting else "",
        "note": words(evidence.note, language),
    }


def reproduction(subject: Subject, language: Language) -> str:
    """Return how to make the numbers again."""
    made = text(
        "Stage {stage}; recipe {digest}; {command}",
        stage=subject.stage.name,
        digest=subject.recipe_hash()[:16],
        command=subject.command(),
    )
    return made.words(language)


def by_line(by: str, when: str) -> str:
    """Return who said something and when, as far as the file tells."""
    return ", ".join(part for part in (by, when) if part)


def to_dict(sheet: Sheet) -> dict[str, Any]:
    """Return an answered framework as JSON can hold it; infinite numbers become "inf" and "-inf"."""
    subject, language = sheet.subject, sheet.language
    return {
        "schema": SCHEMA,
        "framework": sheet.framework,
        "title": sheet.title,
        "source": sheet.source,
        "disclaimer": DISCLAIMER.words(language),
        "language": language,
        "run": subject.run.name,
        "stage": subject.stage.name,
        "created": subject.run.created,
        "reproduce": {"recipe_sha256": subject.recipe_hash(), "command": subject.command()},
        "counts": sheet.counts,
        "sections": [
            {
                "number": section.number,
                "title": section.title,
                "rows": [_row(answer, subject, language) for answer in section.answers],
            }
            for section in sheet.sections
        ],
    }


def _row(answer: Answer, subject: Subject, language: Language) -> dict[str, Any]:
    return {
        "id": answer.id,
        "number": answer.number,
        "demand": answer.demand,
        "state": answer.state,
        "partly": answer.is_partial,
        "measured": [_number(e, subject, language) for e in answer.evidence],
        "recorded": [{"key": r.key, "name": r.name, "lines": list(r.lines)} for r in answer.recorded],
        "stated": [
            {"key": s.key, "question": s.question, "words": s.words, "by": s.by, "when": s.when}
            for s in answer.stated
        ],
        "missing": [
            {"key": m.key, "name": m.name, "reason": m.reason, "mend": m.mend}
            for m in answer.lacking
        ],
        "beyond": answer.rest,
    }  # fmt: skip


def _number(evidence: Evidence, subject: Subject, language: Language) -> dict[str, Any]:
    return {
        "key": evidence.key,
        "value": finite(evidence.value),
        "low": finite(evidence.low),
        "high": finite(evidence.high),
        "n": evidence.n,
        "unit": evidence.unit,
        "better": evidence.better,
        "interval": evidence.interval,
        "setting": evidence.setting,
        "stage": subject.stage.name,
        "note": words(evidence.note, language),
        "recipe_sha256": subject.recipe_hash(),
        "command": subject.command(),
    }
