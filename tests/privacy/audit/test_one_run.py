"""What guesses prove: against sums written from the paper, published maxima and simulated mechanisms."""

from math import comb, exp

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.privacy.audit.one_run import (
    coins,
    epsilon_bound,
    ladder,
    largest_provable,
    p_value,
    proved,
)
from seeding import seeded


def by_summing(v, r, m, epsilon, delta):
    """The theorem, term by term."""
    q = exp(epsilon) / (1 + exp(epsilon))
    chance = [comb(r, w) * q**w * (1 - q) ** (r - w) for w in range(r + 1)]
    beyond = sum(chance[v:])
    most = max((sum(chance[v - i : v]) / i for i in range(1, v + 1)), default=0.0)
    return min(1.0, beyond + 2 * m * delta * most)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    st.integers(1, 40).flatmap(lambda r: st.tuples(st.just(r), st.integers(0, r))),
    st.integers(0, 60),
    st.floats(0, 6),
    st.sampled_from([0.0, 1e-5, 1e-3]),
)
def test_the_p_value_is_the_theorem(counts, more, epsilon, delta):
    r, v = counts
    wanted = by_summing(v, r, r + more, epsilon, delta)
    assert p_value(v, r, r + more, epsilon, delta) == pytest.approx(wanted, rel=1e-6, abs=1e-12)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    st.integers(1, 300).flatmap(lambda r: st.tuples(st.just(r), st.integers(0, r))),
    st.sampled_from([0.0, 1e-5, 1e-3]),
)
def test_it_rises_with_epsilon_where_anything_is_proved(counts, delta):
    """So the bound is where it first crosses the error, and no true epsilon is jumped over."""
    r, v = counts
    found = [p_value(v, r, r, e / 20, delta) for e in range(160)]
    proving = [p for p in found if p <= 0.05]
    assert found[: len(proving)] == proving
    assert proving == sorted(proving)


@pytest.mark.parametrize(("n", "most"), [(100, 3.49), (1_000, 5.81), (10_000, 8.11)])
def test_all_right_proves_the_published_maximum(n, most):
    assert epsilon_bound(n, n, n, 0.0) == pytest.approx(most, abs=0.005)


def test_the_bound_is_on_the_careful_side_of_the_crossing():
    for right, delta in ((80, 0.0), (95, 1e-5), (60, 1e-5)):
        found = epsilon_bound(right, 100, 400, delta)
        assert found == 0.0 or p_value(right, 100, 400, found, delta) <= 0.05
        assert p_value(right, 100, 400, found + 1e-6, delta) > 0.05


def test_delta_and_more_canaries_lower_it():
    plain = epsilon_bound(95, 100, 100, 0.0)
    assert epsilon_bound(95, 100, 100, 1e-4) < plain
    assert epsilon_bound(95, 100, 10_000, 1e-5) < epsilon_bound(95, 100, 100, 1e-5) < plain
    assert epsilon_bound(95, 100, 100, 0.0, 0.01) < plain


def test_chance_proves_nothing():
    assert epsilon_bound(50, 100, 100, 0.0) == 0.0
    assert epsilon_bound(0, 0, 100, 0.0) == 0.0


def test_nothing_proves_more_than_the_largest_provable():
    inside = coins(500, seeded())
    found = proved([inside.double()], inside, 1e-5)
    half = int(inside.sum())
    assert found.right >= found.guesses - 2 * abs(half - 250)
    assert 0 < found.epsilon <= largest_provable(500, 1e-5)
    assert largest_provable(500, 1e-5, scores=2) < largest_provable(500, 1e-5)


@pytest.mark.parametrize("n", [2, 7, 8, 500])
def test_no_way_to_guess_counts_a_canary_twice(n):
    assert all(sum(guess) <= n for guess in ladder(n))


def randomised(n, epsilon, delta, rng):
    """Randomised response, the worst (epsilon, delta)-private answer: with chance delta it tells the truth."""
    inside = coins(n, rng)
    rate = exp(epsilon) / (1 + exp(epsilon))
    honest = torch.rand(n, generator=rng) < rate
    told = torch.where(honest, inside, ~inside).double() + torch.rand(n, generator=rng) / 2
    slips = torch.rand(n, generator=rng) < delta
    return torch.where(slips, inside.double() * 4 - 2, told), inside


@pytest.mark.parametrize(("epsilon", "delta"), [(0.0, 0.0), (1.0, 0.0), (1.0, 1e-3), (3.0, 1e-3)])
def test_it_exceeds_the_truth_in_at_most_one_of_twenty(epsilon, delta):
    rng = seeded()
    over = sum(
        proved([scores], inside, delta).epsilon > epsilon
        for scores, inside in (randomised(200, epsilon, delta, rng) for _ in range(400))
    )
    assert over <= 20  # 5 % of 400, and Bonferroni leaves room


def test_it_comes_near_the_truth():
    scores, inside = randomised(4_000, 2.0, 0.0, seeded())
    assert 1.7 < proved([scores], inside, 0.0).epsilon <= 2.0


def test_a_single_way_to_guess_uses_up_its_error():
    """The bound without Bonferroni is not merely valid, it is nearly exact under the worst mechanism."""
    rng = seeded(3)
    over = 0
    for _ in range(1_000):
        right = int((torch.rand(100, generator=rng) < exp(1) / (1 + exp(1))).sum())
        over += epsilon_bound(right, 100, 100, 0.0) > 1.0
    assert 15 <= over <= 65
