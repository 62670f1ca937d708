"""Intervals against formulas written out, and their coverage by counting."""

from math import comb, inf, sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.interval import (
    Z95,
    bootstrap,
    clopper_pearson,
    mean_interval,
    quantile_interval,
    wilson,
)
from seeding import seeded

few = settings(max_examples=20, deadline=None, derandomize=True)
counts = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def chance_of(k, n, p):
    return comb(n, k) * p**k * (1 - p) ** (n - k)


def coverage(interval, n, p):
    """The exact probability that the interval holds `p`."""
    bounds = [interval(k, n) for k in range(n + 1)]
    return sum(chance_of(k, n, p) for k, (a, b) in enumerate(bounds) if a <= p <= b)


@few
@given(counts)
def test_wilson_is_where_the_score_test_is_at_its_limit(given_counts):
    hits, n = given_counts
    for bound in wilson(hits, n):
        if 0 < bound < 1:
            assert abs(hits / n - bound) == pytest.approx(
                Z95 * sqrt(bound * (1 - bound) / n), abs=1e-9
            )


@few
@given(counts)
def test_clopper_pearson_leaves_a_fortieth_on_each_side(given_counts):
    hits, n = given_counts
    low, high = clopper_pearson(hits, n)
    above = sum(chance_of(k, n, low) for k in range(hits, n + 1))
    below = sum(chance_of(k, n, high) for k in range(hits + 1))
    assert low == 0 if hits == 0 else above == pytest.approx(0.025)
    assert high == 1 if hits == n else below == pytest.approx(0.025)


@few
@given(st.integers(1, 40), st.floats(0.001, 0.999))
def test_clopper_pearson_never_covers_less_than_it_says(n, p):
    assert coverage(clopper_pearson, n, p) >= 0.95 - 1e-9


def test_wilson_covers_on_average_what_it_says():
    grid = [i / 200 for i in range(1, 200)]
    for n in (10, 30):
        mean = sum(coverage(wilson, n, p) for p in grid) / len(grid)
        assert 0.94 < mean < 0.965


@few
@given(counts)
def test_proportions_hold_their_value_and_stay_inside(given_counts):
    hits, n = given_counts
    for low, high in (wilson(hits, n), clopper_pearson(hits, n)):
        assert 0 <= low <= hits / n <= high <= 1


def test_the_interval_of_a_mean_covers_the_mean():
    own, hits = seeded(), 0
    for _ in range(1000):
        value, low, high = mean_interval(torch.randn(8, generator=own) + 3)
        hits += low <= 3 <= high
        assert low <= value <= high
    assert 0.93 < hits / 1000 < 0.97
    assert mean_interval(torch.tensor([2.0])) == (2.0, -inf, inf)


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_the_interval_of_a_quantile_covers_the_quantile(q):
    own, hits = seeded(1), 0
    for _ in range(1000):
        value, low, high = quantile_interval(torch.rand(100, generator=own), q)
        hits += low <= q <= high
        assert low <= value <= high
    assert hits / 1000 > 0.935


def test_the_bootstrap_covers_a_mean_and_repeats():
    own, hits = seeded(2), 0
    for _ in range(200):
        x = torch.randn(40, generator=own)
        low, high = bootstrap(lambda rows, x=x: x[rows].mean(), 40, own, n_resamples=200)
        hits += low <= 0 <= high
    assert hits / 200 > 0.88
    x = torch.arange(9.0)
    a, b = (bootstrap(lambda r: x[r].median(), 9, seeded(), n_resamples=50) for _ in range(2))
    assert a == b


def test_the_bootstrap_leaves_out_what_is_undefined():
    assert bootstrap(lambda rows: float("nan"), 5, seeded(), n_resamples=9) == (-inf, inf)
    turns = iter([float("nan"), 1.0, 2.0] * 3)
    low, high = bootstrap(lambda rows: next(turns), 5, seeded(), n_resamples=9)
    assert 1 <= low <= high <= 2
