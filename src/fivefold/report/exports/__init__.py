"""Evidence exports: what a law, a standard or a bill of materials asks, answered from a run."""

from fivefold.report.exports.bom import ml_bom
from fivefold.report.exports.markdown import evidence_markdown
from fivefold.report.exports.page import evidence_page
from fivefold.report.exports.sheet import Sheet, sheet
from fivefold.report.exports.statements import (
    Statements,
    empty_statements,
    found_statements,
    read_statements,
)
from fivefold.report.exports.subject import Subject, subject_of
from fivefold.report.exports.tables import FRAMEWORKS, FrameworkName
from fivefold.report.exports.told import to_dict

__all__ = [
    "FRAMEWORKS",
    "FrameworkName",
    "Sheet",
    "Statements",
    "Subject",
    "empty_statements",
    "evidence_markdown",
    "evidence_page",
    "found_statements",
    "ml_bom",
    "read_statements",
    "sheet",
    "subject_of",
    "to_dict",
]
