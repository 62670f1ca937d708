"""Matrix, policy gate, page and model card."""

from fivefold.report.card import model_card
from fivefold.report.change import Change, change
from fivefold.report.chart import draw
from fivefold.report.check import Check
from fivefold.report.findings import Written, findings
from fivefold.report.gate import judge
from fivefold.report.junit import junit
from fivefold.report.matrix import Matrix, matrix
from fivefold.report.page import page
from fivefold.report.policy import Limit, Policy, policy_from, read_policy
from fivefold.report.verdict import Verdict

__all__ = [
    "Change",
    "Check",
    "Limit",
    "Matrix",
    "Policy",
    "Verdict",
    "Written",
    "change",
    "draw",
    "findings",
    "judge",
    "junit",
    "matrix",
    "model_card",
    "page",
    "policy_from",
    "read_policy",
]
