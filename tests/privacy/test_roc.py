"""AUC, its interval, and the true positive rate at a small false positive rate."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from scipy.stats import t as student
from sklearn.metrics import roc_auc_score, roc_curve

from fivefold.privacy.roc import auc, auc_gain, curve, tpr_at
from seeding import seeded


def scores(m, n, seed, shift=0.5, ties=False):
    own = seeded(seed)
    a = torch.randn(m, generator=own, dtype=torch.float64) + shift
    b = torch.randn(n, generator=own, dtype=torch.float64)
    return (a.round(decimals=1), b.round(decimals=1)) if ties else (a, b)


def labelled(a, b):
    return np.r_[np.ones(len(a)), np.zeros(len(b))], torch.cat([a, b]).numpy()


def slow_delong(a, b):
    """DeLong's variance, pair by pair."""
    wins = np.array([[float(x > y) + 0.5 * float(x == y) for y in b] for x in a])
    return wins.mean(), wins.mean(1).var(ddof=1) / len(a) + wins.mean(0).var(ddof=1) / len(b)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(m=st.integers(2, 30), n=st.integers(2, 30), seed=st.integers(0, 999), ties=st.booleans())
def test_auc_equals_scikit_learn_and_its_variance_the_slow_one(m, n, seed, ties):
    a, b = scores(m, n, seed, ties=ties)
    found = auc(a, b)
    value, variance = slow_delong(a.tolist(), b.tolist())
    assert found.value == pytest.approx(roc_auc_score(*labelled(a, b)))
    assert found.value == pytest.approx(value)
    if variance > 1e-12:
        half = 1.959964 * variance**0.5
        assert found.low == pytest.approx(max(0.0, value - half))
        assert found.high == pytest.approx(min(1.0, value + half))


@pytest.mark.parametrize("shift", [100.0, -100.0])
def test_groups_that_do_not_overlap_still_have_an_interval(shift):
    found = auc(*scores(20, 30, 0, shift))
    assert found.value == float(shift > 0)
    assert found.high - found.low > 0.1


@settings(max_examples=20, deadline=None, derandomize=True)
@given(m=st.integers(3, 20), n=st.integers(3, 20), seed=st.integers(0, 999), ties=st.booleans())
def test_the_gain_is_a_difference_and_its_variance_that_of_pairs(m, n, seed, ties):
    before = scores(m, n, seed, ties=ties)
    after = tuple(a + b for a, b in zip(before, scores(m, n, seed + 1, ties=ties), strict=True))
    found = auc_gain((after[0], after[1]), before)
    assert found.value == pytest.approx(auc(*after).value - auc(*before).value)
    (a, b), (c, d) = ((x.numpy(), y.numpy()) for x, y in (after, before))
    wins = np.array([
        [np.sign(a[i] - b[j]) - np.sign(c[i] - d[j]) for j in range(n)] for i in range(m)
    ]) / 2  # fmt: skip
    variance = wins.mean(1).var(ddof=1) / m + wins.mean(0).var(ddof=1) / n
    if variance > 1e-12:
        half = student.ppf(0.975, min(m, n) - 1) * variance**0.5
        assert found.low == pytest.approx(max(-1.0, found.value - half))
        assert found.high == pytest.approx(min(1.0, found.value + half))


def test_the_gain_of_pairs_is_surer_than_two_areas():
    """The bootstrap of rows agrees with the interval; taking the areas for independent does not."""
    before = scores(150, 120, 5)
    after = tuple(a + 0.3 * b for a, b in zip(before, scores(150, 120, 6), strict=True))
    found = auc_gain((after[0], after[1]), before)
    own = seeded(7)
    gains = [
        auc(after[0][i], after[1][j]).value - auc(before[0][i], before[1][j]).value
        for _ in range(400)
        for i, j in [(torch.randint(150, (150,), generator=own), torch.randint(120, (120,), generator=own))]
    ]  # fmt: skip
    half = (found.high - found.low) / 2
    assert half == pytest.approx(1.98 * float(np.std(gains)), rel=0.15)
    assert half < 0.7 * (auc(*after).high - auc(*after).low) / 2**0.5


def test_no_difference_between_areas_is_not_known_for_sure():
    same = scores(20, 30, 0, 100.0)
    found = auc_gain(same, same)
    assert found.value == 0.0
    assert found.high == -found.low > 0.1


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(1000, 1400), seed=st.integers(0, 999), ties=st.booleans())
def test_tpr_equals_scikit_learn(n, seed, ties):
    a, b = scores(150, n, seed, 1.0, ties)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        false, true, _ = roc_curve(*labelled(a, b), drop_intermediate=False)
    found = tpr_at(a, b, 0.01)
    assert found is not None
    assert found.value == pytest.approx(true[false <= 0.01 + 1e-12].max())
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize("n", [1, 100, 999])
def test_too_few_others_show_nothing(n):
    assert tpr_at(*scores(50, n, 0), 0.01) is None


@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_the_interval_covers_the_true_rate_with_the_threshold_unknown(shift):
    truth = float(norm.sf(norm.isf(0.01) - shift))
    covered = 0
    for seed in range(200):
        found = tpr_at(*scores(200, 1000, seed, shift), 0.01)
        assert found is not None
        covered += found.low <= truth <= found.high
    assert covered >= 190


def test_the_delong_interval_covers():
    truth = float(norm.cdf(0.5 / 2**0.5))
    found = [auc(*scores(60, 60, seed)) for seed in range(200)]
    assert sum(f.low <= truth <= f.high for f in found) >= 183


def test_the_curve_rises_from_the_smallest_rate_to_one():
    a, b = scores(80, 120, 0)
    points = curve(a, b)
    assert points[0][0] == 1 / 120
    assert points[-1] == (1.0, 1.0)
    assert [t for _, t in points] == sorted(t for _, t in points)
    false, true, _ = roc_curve(*labelled(a, b), drop_intermediate=False)
    for f, t in points:
        assert t == pytest.approx(true[false <= f + 1e-12].max())
