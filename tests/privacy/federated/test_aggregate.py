"""Robust aggregates against slow twins and against liars."""

import statistics
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.codec import construct
from fivefold.core.errors import BadInput, BadRecipe
from fivefold.privacy.federated import Krum, Mean, Median, TrimmedMean
from seeding import seeded


def drawn(n, width, seed=0):
    return torch.randn(n, width, generator=seeded(seed))


@given(n=st.integers(1, 12), width=st.integers(1, 6), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_median_of_each_weight(n, width, seed):
    x = drawn(n, width, seed)
    slow = [statistics.median(column) for column in x.T.tolist()]
    assert torch.allclose(Median().combine(x), torch.tensor(slow))


@given(n=st.integers(5, 12), seed=st.integers(0, 99), share=st.sampled_from([0.0, 0.1, 0.2, 0.3]))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_trimmed_mean_drops_the_ends(n, seed, share):
    x = drawn(n, 3, seed)
    cut = next(k for k in range(n) if k >= share * n - 1e-9)
    slow = [statistics.mean(sorted(column)[cut : n - cut]) for column in x.T.tolist()]
    assert torch.allclose(TrimmedMean(share=share).combine(x), torch.tensor(slow), atol=1e-6)


@given(n=st.integers(6, 10), seed=st.integers(0, 99), n_kept=st.integers(1, 3))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_krum_keeps_who_is_close_to_most(n, seed, n_kept):
    x, liars = drawn(n, 3, seed), 1

    def score(i):
        apart = sorted(float((x[i] - x[j]).double().square().sum()) for j in range(n) if j != i)
        return sum(apart[: n - liars - 2])

    best = sorted(range(n), key=score)[:n_kept]
    found = Krum(share=1 / n, n_kept=n_kept).combine(x)
    assert torch.allclose(found, x[best].mean(0), atol=1e-6)


ROBUST = [Median(), TrimmedMean(share=0.2), Krum(share=0.2), Krum(share=0.2, n_kept=5)]


@pytest.mark.parametrize("rule", ROBUST)
@pytest.mark.parametrize("lie", [1e6, -1e6, 50.0, torch.inf, torch.nan])
def test_a_fifth_of_liars_moves_a_robust_aggregate_little_and_a_mean_far(rule, lie):
    honest = 1 + 0.1 * drawn(16, 8)
    x = torch.cat([honest, torch.full((4, 8), lie)])
    assert float((rule.combine(x) - 1).abs().max()) < 0.35
    shares = Mean(weighting="clients").shares(torch.ones(20, dtype=torch.int64))
    assert not float((shares @ x - 1).abs().max()) < 5


def test_liars_that_agree_on_a_nearby_point_stay_within_the_honest():
    """A trimmed mean and a median lie between honest values, whatever a fifth says."""
    honest = drawn(8, 5)
    for lies in (honest.amax(0) + 0.01, honest.amin(0) - 0.01):
        x = torch.cat([honest, lies.expand(2, 5)])
        for rule in (Median(), TrimmedMean(share=0.2)):
            found = rule.combine(x)
            assert (found <= honest.amax(0)).all()
            assert (found >= honest.amin(0)).all()


def test_krum_is_one_of_the_honest():
    honest = drawn(8, 5)
    for pair in combinations((-3.0, 0.5, 9.0), 2):
        x = torch.cat([honest, torch.tensor(pair)[:, None].expand(2, 5) * 100])
        found = Krum(share=0.2).combine(x)
        assert (honest == found).all(1).any()


def test_mean_weighs_by_examples_or_alike():
    sizes = torch.tensor([1, 3])
    assert Mean().shares(sizes).tolist() == [0.25, 0.75]
    assert Mean(weighting="clients").shares(sizes).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("rule", "n"), [(Krum(share=0.2), 4), (Krum(share=0.4), 6), (TrimmedMean(share=0.4), 2)]
)
def test_too_few_clients_are_refused(rule, n):
    with pytest.raises(BadInput, match="at least"):
        rule.combine(drawn(n, 3))


@pytest.mark.parametrize("rule", ROBUST)
def test_nobody_finite_is_refused(rule):
    with pytest.raises(BadInput, match="finite"):
        rule.combine(torch.full((7, 3), torch.nan))


@pytest.mark.parametrize("kind", [TrimmedMean, Krum])
def test_half_of_the_clients_cannot_be_liars(kind):
    with pytest.raises(BadRecipe):
        construct(kind, {"share": 0.5}, where="aggregate")
