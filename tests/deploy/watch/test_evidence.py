"""Every number that production shows, against a slow twin."""

from dataclasses import replace
from math import sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom, poisson
from watching import NOON, SCHEMA, Clock, event, found, missing, monitor_of, rows

from fivefold.core.evidence import Evidence
from fivefold.core.task import Task
from fivefold.deploy.event import REFUSALS
from fivefold.deploy.watch import Monitor, Reference, Window
from fivefold.deploy.watch.reference import Confidence

SLOWLY = settings(max_examples=20, deadline=None, derandomize=True)
SECONDS = st.floats(1e-4, 30.0)


def told(monitor: Monitor, clock: Clock | None = None):
    if clock:
        clock.now += 1
    return monitor.live(0).findings


def exact(hits: int, n: int) -> tuple[float, float]:
    """Clopper and Pearson (1934), through the beta distribution."""
    low = float(beta.ppf(0.025, hits, n - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, n - hits)) if hits < n else 1.0
    return low, high


@SLOWLY
@given(st.lists(SECONDS, min_size=72, max_size=200))
def test_latency_is_bounded_by_order_statistics(seconds):
    monitor = monitor_of()
    for s in seconds:
        monitor(event(seconds=s))
    monitor(event(seconds=99.0, refusal="rate", status=429))
    monitor(event(seconds=99.0, verb="explain"))
    ordered, n = sorted(seconds), len(seconds)
    for name, q in (("latency_p50", 0.5), ("latency_p95", 0.95)):
        one = found(told(monitor), f"efficiency.{name}[live]")
        at = q * (n - 1)
        below, above = ordered[int(at)], ordered[min(int(at) + 1, n - 1)]
        assert one.value == pytest.approx(below + (at - int(at)) * (above - below))
        assert one.n == n
        i, j = ordered.index(one.low), n - 1 - ordered[::-1].index(one.high)
        covered = binom.cdf(j, n, q) - binom.cdf(i, n, q)
        assert covered >= 0.95 - 1e-9


@pytest.mark.parametrize(("n", "known"), [(5, 0), (6, 1), (71, 1), (72, 2)])
def test_a_quantile_that_nothing_bounds_is_missing(n, known):
    monitor = monitor_of()
    for _ in range(n):
        monitor(event())
    findings = told(monitor)
    has = [isinstance(f, Evidence) for f in findings if f.name.startswith("latency")]
    assert sum(has) == known
    if known < 2:
        reason = str(missing(findings, "efficiency.latency_p95[live]").reason)
        assert reason == f"Bounding it takes 72 calls, and {n} were made."


@SLOWLY
@given(st.integers(1, 300), st.floats(5.0, 600.0))
def test_throughput_is_bounded_as_a_poisson_rate(n, span):
    clock = Clock()
    monitor = monitor_of(clock)
    for _ in range(n):
        monitor(event())
    clock.now += span
    one = found(told(monitor), "efficiency.throughput[live]")
    assert one.value == pytest.approx(n / span)
    assert poisson.sf(n - 1, one.low * span) == pytest.approx(0.025, rel=1e-6)
    assert poisson.cdf(n, one.high * span) == pytest.approx(0.025, rel=1e-6)


def test_a_request_after_a_long_silence_is_not_a_burst():
    clock = Clock()
    monitor = monitor_of(clock)
    clock.now += 100.0
    monitor(event(time=clock.now))
    clock.now += 0.01
    assert found(told(monitor), "efficiency.throughput[live]").value == pytest.approx(1 / 100.01)


@SLOWLY
@given(st.lists(st.sampled_from(("", "", "", *REFUSALS)), min_size=1, max_size=120))
def test_refusals_are_counted_by_guard(refusals):
    monitor = monitor_of()
    for refusal in refusals:
        monitor(event(refusal=refusal, status=403 if refusal else 200))
    for guard in REFUSALS:
        one = found(told(monitor), f"security.refusal_rate[{guard}]")
        hits, n = refusals.count(guard), len(refusals)
        assert (one.value, one.n) == (hits / n, n)
        assert (one.low, one.high) == pytest.approx(exact(hits, n))


def test_alarms_are_scores_above_the_threshold_with_their_nominal_share():
    monitor = monitor_of(threshold=2.0, nominal=0.05)
    monitor(event(rows(4), scores=torch.tensor([1.0, 2.0, 2.1, 9.0])))
    one = found(told(monitor), "security.alarm_rate")
    assert (one.value, one.n, one.floor) == (0.5, 4, 0.05)
    assert "no detector" in str(missing(told(monitor_of()), "security.alarm_rate").reason)


def test_a_score_that_overflows_is_an_alarm_as_it_is_for_the_detector():
    monitor = monitor_of(threshold=2.0, nominal=0.05)
    monitor(event(rows(4), scores=torch.tensor([1.0, torch.inf, torch.nan, 2.0])))
    monitor(event(rows(3)))  # the detector was not asked
    one = found(told(monitor), "security.alarm_rate")
    assert (one.value, one.n) == (0.5, 4)
    assert (monitor.totals().alarms, monitor.totals().scored) == (2, 4)


@SLOWLY
@given(st.data())
def test_gaps_and_values_out_of_range(data):
    odd = st.sampled_from([0.5, float("nan"), -1.0, 3.0, 500.0])
    values = data.draw(st.lists(st.tuples(odd, odd, odd), min_size=1, max_size=60))
    x = torch.tensor(values)
    monitor = monitor_of()
    monitor(event(x))
    shown = [v for v in values if not all(w != w for w in v)]
    findings = told(monitor)
    if not shown:
        assert missing(findings, "generalization.missing_share")
        return
    gaps = sum(any(w != w for w in v) for v in shown)
    limits = ((0.0, 1.0), (0, 2), (0, 120))
    wrong = sum(
        any(w < low or w > high for w, (low, high) in zip(v, limits, strict=True)) for v in shown
    )
    for name, hits in (("missing_share", gaps), ("out_of_range_share", wrong)):
        one = found(findings, f"generalization.{name}")
        assert (one.value, one.n) == (hits / len(shown), len(shown))
        assert (one.low, one.high) == pytest.approx(exact(hits, len(shown)))


def test_the_column_that_is_worst_is_named():
    x = rows(50)
    x[:, 2] = torch.where(torch.arange(50) < 20, torch.nan, 40.0)
    x[3, 0] = torch.nan
    monitor = monitor_of()
    monitor(event(x))
    assert "most often in age" in str(found(told(monitor), "generalization.missing_share").note)


def test_confidence_that_falls_has_welchs_interval():
    before = Confidence(mean=0.9, deviation=0.1, n=400)
    monitor = monitor_of(reference=Reference(confidence=before))
    x = rows(60)
    monitor(event(x))
    logits = torch.stack([torch.zeros(60), 4 * x[:, 0] - 2], 1).double()
    sure = logits.softmax(1).max(1).values
    drop = 0.9 - float(sure.mean())
    error = 1.96 * sqrt(0.1**2 / 400 + float(sure.var()) / 60)
    one = found(told(monitor), "generalization.confidence_drop")
    assert one.value == pytest.approx(drop, abs=1e-6)
    assert one.high - one.low == pytest.approx(2 * error, rel=1e-3)


@SLOWLY
@given(st.lists(st.booleans(), min_size=10, max_size=100))
def test_accuracy_of_labels_that_came_back(right):
    monitor = monitor_of()
    x = torch.tensor([[0.9, 1.0, 40.0]])
    for i, is_right in enumerate(right):
        monitor(event(x, request=str(i)))
        assert monitor.label(str(i), [1.0 if is_right else 0.0])
    one = found(told(monitor), "learning.accuracy")
    n, p = len(right), sum(right) / len(right)
    z = 1.959964
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert one.value == p
    assert (one.low, one.high) == pytest.approx((middle - half, middle + half), abs=1e-5)


def test_errors_of_numbers_that_came_back():
    monitor = monitor_of(task=Task(kind="regression", unit="mg"))
    for i in range(12):
        monitor(event(rows(1), request=str(i), outputs=torch.tensor([[float(i)]])))
        monitor.label(str(i), [i + (0.5 if i % 2 else -1.0)])
    findings = told(monitor)
    one = found(findings, "learning.absolute_error")
    assert (one.value, one.unit, one.n) == (0.75, "mg", 12)
    assert one.low < 0.75 < one.high
    assert "without confidence" in str(missing(findings, "generalization.confidence_drop").reason)


def test_nothing_yet_is_said_as_such():
    findings = told(monitor_of())
    assert not any(isinstance(f, Evidence) for f in findings)
    assert len({f.key for f in findings}) == len(findings)


def test_what_is_older_than_the_window_is_forgotten():
    clock = Clock()
    monitor = Monitor(
        monitor_of().subject, reference=Reference(), window=Window(minutes=10), clock=clock
    )
    for i in range(80):
        monitor(event(rows(1), request=str(i), seconds=5.0))
    clock.now += 300
    for _ in range(80):
        monitor(event(rows(1), time=clock.now, seconds=0.1))
    assert found(told(monitor), "efficiency.latency_p50[live]").n == 160
    clock.now = NOON + 601
    one = found(told(monitor), "efficiency.latency_p50[live]")
    assert (one.n, one.high) == (80, 0.1)
    assert monitor.totals().n == 160


def test_the_window_holds_so_many_rows_and_requests_and_no_more():
    subject = monitor_of().subject
    monitor = Monitor(
        subject, reference=Reference(), window=Window(requests=100, rows=50), clock=Clock()
    )
    for i in range(30):
        monitor(event(rows(7), request=str(i)))
        monitor(event(refusal="size", status=413))
        monitor(event(refusal="rate", status=429))
        monitor(event(refusal="rate", status=429))
    view = monitor.view()
    assert (len(view.requests), len(view.examples)) == (100, 50)
    assert view.totals.n == 120


@pytest.mark.parametrize(
    "odd",
    [
        {"x": torch.zeros(2, 9)},
        {"outputs": torch.zeros(3, 2)},
        {"outputs": torch.zeros(2, 5)},
        {"scores": torch.zeros(1)},
        {"x": torch.zeros(2, 3, 3)},
    ],
)
def test_a_request_that_does_not_fit_is_counted_and_nothing_more(odd):
    monitor = monitor_of()
    monitor(replace(event(rows(2)), **odd))
    view = monitor.view()
    assert (len(view.requests), len(view.examples)) == (1, 0)
    assert SCHEMA.shape == (3,)
