"""The matrix and the verdict as pieces of HTML that need nothing around them, for notebooks."""

from collections.abc import Sequence

from fivefold.core.text import Language
from fivefold.report.check import Check
from fivefold.report.row import Table
from fivefold.report.templating import part, render
from fivefold.report.theme import DARK, LIGHT, variables
from fivefold.report.view import matrix_view, verdict_view


def matrix_html(matrix: Table, language: Language = "en") -> str:
    """Return the matrix as HTML."""
    return _wrapped("matrix.html.jinja", language, matrix=matrix_view(matrix, language))


def verdict_html(checks: Sequence[Check], language: Language = "en") -> str:
    """Return the verdict as HTML."""
    return _wrapped("verdict.html.jinja", language, verdict=verdict_view(checks, language))


def _wrapped(template: str, language: Language, **facts: object) -> str:
    body = render(template, language, **facts)
    colours = {"light": variables(LIGHT), "dark": variables(DARK)}
    return render(
        "fragment.html.jinja", language, body=body, css=part("matrix.css"), colours=colours
    )
