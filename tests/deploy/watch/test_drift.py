"""Drift is found where it is, and rarely where it is not."""

import pytest
import torch
from scipy.stats import binom
from torch import Tensor
from toy_served import toy_model
from watching import Clock, event, found, missing, monitor_of, rows, seen_of

from fivefold.core.data import Seen
from fivefold.core.evidence import Evidence
from fivefold.deploy.watch import Reference
from fivefold.deploy.watch.drift import is_drift
from fivefold.deploy.watch.reference import reference_of
from seeding import seeded

COLUMNS = ("dose", "kind", "age")


@pytest.fixture(scope="module")
def reference() -> Reference:
    return reference_of(toy_model(), seen_of(rows(2000, seeded(1))))


def asked(reference: Reference, x: Tensor, outputs: Tensor | None = None) -> list[Evidence]:
    """Return the drift that is found after `x` was asked in requests of fifty."""
    clock = Clock()
    monitor = monitor_of(clock, reference)
    answers = toy_model().predict(x) if outputs is None else outputs
    for at in range(0, len(x), 50):
        monitor(event(x[at : at + 50], outputs=answers[at : at + 50].detach()))
    clock.now += 1
    findings = monitor.live().findings
    return [f for f in findings if isinstance(f, Evidence) and f.name in ("drift", "answer_drift")]


def drifted(findings: list[Evidence]) -> set[str]:
    return {f.setting for f in findings if is_drift(f)}


def test_a_column_that_shifts_is_named_and_no_other(reference):
    x = rows(1000, seeded(6))
    x[:, 0] = x[:, 0].square()
    findings = asked(reference, x, toy_model().predict(rows(1000, seeded(6))))
    assert drifted(findings) == {"dose"}
    dose = found(findings, "generalization.drift[dose]")
    assert dose.low > 2 * (dose.floor or 0)
    assert dose.chart is not None


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("kind", lambda x: torch.where(x == 2, 0.0, x)),
        ("age", lambda x: x + 12),
        ("age", lambda x: torch.where(torch.arange(len(x)) % 4 == 0, torch.nan, x)),
    ],
)
def test_categories_numbers_and_gaps_that_shift_are_found(reference, column, change):
    x, at = rows(1000, seeded(3)), COLUMNS.index(column)
    x[:, at] = change(x[:, at])
    assert column in drifted(asked(reference, x, toy_model().predict(rows(1000, seeded(3)))))


def test_answers_that_shift_are_found(reference):
    x = rows(1000, seeded(4))
    findings = asked(reference, x, torch.tensor([[0.0, 9.0]]).repeat(1000, 1))
    assert drifted(findings) == {""}


def test_without_drift_any_alarm_is_as_rare_as_promised():
    """Reference and requests are drawn anew 200 times; 5 % of families of four tests may raise an alarm."""
    alarms = 0
    for seed in range(200):
        told = reference_of(toy_model(), seen_of(rows(1250, seeded(1000 + seed))))
        alarms += bool(drifted(asked(told, rows(500, seeded(5000 + seed)))))
    assert alarms <= binom.ppf(0.999, 200, 0.05)
    assert alarms >= 1  # careful, not silent


def test_too_few_examples_show_nothing(reference):
    clock = Clock()
    monitor = monitor_of(clock, reference)
    x = rows(99)
    monitor(event(x))
    told = missing(monitor.live(0).findings, "generalization.drift[dose]")
    assert "Only 99 examples" in str(told.reason)
    monitor(event(rows(1)))
    clock.now += 1
    assert found(monitor.live(0).findings, "generalization.drift[dose]").n == 100


def test_refused_and_unread_requests_do_not_count(reference):
    monitor = monitor_of(Clock(), reference)
    monitor(event(refusal="size", status=413))
    monitor(event(verb="explain"))
    assert "Only 0 examples" in str(
        missing(monitor.live().findings, "generalization.drift[dose]").reason
    )


def test_too_few_answers_are_counted_as_answers(reference):
    monitor = monitor_of(Clock(), reference)
    monitor(event(rows(150), outputs=None, refusal="detector", status=403))
    monitor(event(rows(30)))
    findings = monitor.live().findings
    told = missing(findings, "generalization.answer_drift")
    assert "Only 30 examples" in str(told.reason)
    assert found(findings, "generalization.drift[dose]").n == 180


def test_without_a_reference_it_says_why():
    monitor = monitor_of(Clock(), reference_of(toy_model(), Seen(*seen_of(rows(60)))))
    monitor(event(rows(200)))
    told = missing(monitor.live().findings, "generalization.answer_drift")
    assert "only 48 training rows" in str(told.reason)
