"""Calibration error and temperature against their definitions."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.data import Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Evidence, Missing
from fivefold.core.probe import Probe
from fivefold.generalization import Calibration
from fivefold.generalization.reliability import (
    best_temperature,
    bins_of,
    calibration_error,
    chance_errors,
    confidence,
)
from seeding import seeded


def run(probe: Probe, model: Any, splits: Splits, seed: int = 0) -> Any:
    return probe(model, splits, rng=seeded(seed))


def calibrated(n, seed, classes=3, spread=2.0):
    """Logits whose softmax is the truth, and answers drawn from it."""
    rng = seeded(seed)
    logits = spread * torch.randn(n, classes, generator=rng)
    return logits, torch.multinomial(logits.softmax(1), 1, generator=rng)[:, 0]


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.integers(1, 200), st.integers(1, 20))
def test_the_error_is_that_of_the_definition(seed, n, bins):
    rng = seeded(seed)
    top, right = torch.rand(n, generator=rng), torch.rand(n, generator=rng) < 0.6
    rows = sorted(zip(top.tolist(), right.tolist(), strict=True))
    start, error = 0, 0.0
    for i in range(bins):
        size = n // bins + (i < n % bins)
        part, start = rows[start : start + size], start + size
        if part:
            mean = sum(t for t, _ in part) / size
            share = sum(r for _, r in part) / size
            error += size / n * abs(share - mean)
    assert abs(calibration_error(top, right, bins) - error) < 1e-6
    assert sum(b.n for b in bins_of(top, right, bins)) == n
    assert sum(b.hits for b in bins_of(top, right, bins)) == int(right.sum())


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.floats(0.2, 8.0))
def test_the_temperature_is_the_one_that_grid_search_finds(seed, factor):
    logits, y = calibrated(300, seed)
    logits = logits * factor
    grid = torch.logspace(-1.5, 1.5, 400, dtype=torch.float64)
    losses = [torch.nn.functional.cross_entropy(logits.double() / t, y) for t in grid]
    best = float(grid[int(torch.stack(losses).argmin())])
    assert abs(best_temperature(logits, y) / best - 1) < 0.02


def test_temperature_mends_an_overconfident_model():
    logits, y = calibrated(6000, 1)
    loud = 4 * logits
    temperature = best_temperature(loud[:3000], y[:3000])
    assert abs(temperature - 4) < 0.4
    before = calibration_error(*confidence(loud[3000:], y[3000:]))
    after = calibration_error(*confidence(loud[3000:], y[3000:], temperature))
    assert before > 0.1
    assert after < 0.03


def test_answers_that_are_certain_do_no_harm():
    logits = torch.tensor([[0.0, -torch.inf], [-torch.inf, 0.0], [0.0, -torch.inf]])
    assert 0.01 <= best_temperature(logits, torch.tensor([0, 1, 1])) <= 100.01


def test_a_calibrated_model_shows_what_chance_shows():
    errors, expected = [], []
    for seed in range(20):
        top, right = confidence(*calibrated(200, seed))
        errors.append(calibration_error(top, right))
        expected.append(float(chance_errors(top, seeded(seed)).mean()))
    assert abs(sum(errors) - sum(expected)) / 20 < 0.012
    assert min(errors) > 0


def test_the_probe_reports_both_and_covers_itself(trained, table):
    before, after = run(Calibration(), trained, table.splits)
    for one in (before, after):
        assert isinstance(one, Evidence)
        assert 0 <= one.low <= one.value <= one.high <= 1
        assert one.chart is not None
        assert one.chart.diagonal
    assert before.floor == after.floor


def test_the_bounds_hold_for_a_calibrated_model():
    """The truth is 0: the lower bound must reach it, and never be sure of an error that is chance."""
    for seed in range(10):
        top, right = confidence(*calibrated(150, seed))
        value = calibration_error(top, right)
        low, high = Calibration()._bounds(top, right, value, seeded(seed))
        assert low < 0.01
        assert high >= value


def test_few_validation_rows_are_said_to_be_few(trained, table):
    seen = table.splits.seen._replace(valid=table.splits.seen.valid.take(slice(0, 5)))
    found = run(Calibration(), trained, table.splits._replace(seen=seen))
    assert isinstance(found[1], Missing)
    assert "20" in found[1].reason.words()


def test_numbers_have_no_confidence(trained_numbers, numbers):
    with pytest.raises(NotMeasurable, match="classes"):
        run(Calibration(), trained_numbers, numbers.splits)
