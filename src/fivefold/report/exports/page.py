"""An answered framework as one HTML file that needs no server, no network and no JavaScript."""

from typing import Any

from fivefold.core.text import Language
from fivefold.report.exports.sheet import DISCLAIMER, Answer, Sheet
from fivefold.report.exports.told import by_line, number_told, reproduction
from fivefold.report.templating import part, render
from fivefold.report.theme import DARK, LIGHT, variables


def evidence_page(sheet: Sheet) -> str:
    """Return an answered framework as one HTML file in the look of the report."""
    language = sheet.language
    return render(
        "evidence.html.jinja",
        language,
        sheet=sheet,
        counts=sheet.counts,
        sections=[
            {
                "number": section.number,
                "title": section.title,
                "rows": [_row(answer, language) for answer in section.answers],
            }
            for section in sheet.sections
        ],
        disclaimer=DISCLAIMER.words(language),
        reproduce=reproduction(sheet.subject, language),
        css=part("matrix.css") + part("page.css") + part("evidence.css"),
        colours={"light": variables(LIGHT), "dark": variables(DARK)},
    )


def _row(answer: Answer, language: Language) -> dict[str, Any]:
    return {
        "answer": answer,
        "numbers": [number_told(e, language) for e in answer.evidence],
        "stated": [(s, by_line(s.by, s.when)) for s in answer.stated],
    }
