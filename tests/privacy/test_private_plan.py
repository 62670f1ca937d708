"""Epsilon is what dp-accounting says, and never too small."""

from math import exp, sqrt
from typing import Any

import pytest
import torch
from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent
from dp_accounting.pld import PLDAccountant
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import binom, chisquare, norm

from fivefold.core.data import Batch
from fivefold.core.errors import BadRecipe
from fivefold.privacy.accounting import Part, bound, renyi_epsilon
from fivefold.privacy.plan import Plan, least_noise, plan_of, safe_delta
from seeding import seeded


def plan(**changed):
    usual: dict[str, Any] = {
        "rate": 0.1,
        "steps": 50,
        "clip_norm": 1.0,
        "noise_multiplier": 1.2,
        "delta": 1e-4,
    }
    return Plan(**(usual | changed))


def by_hand(rate, noise_multiplier, steps, delta, grid=1e-4):
    accountant = PLDAccountant(value_discretization_interval=grid)
    accountant.compose(PoissonSampledDpEvent(rate, GaussianDpEvent(noise_multiplier)), steps)
    return accountant.get_epsilon(delta)


@pytest.mark.parametrize(
    ("rate", "noise", "steps", "delta"),
    [(0.01, 1.0, 100, 1e-5), (0.25, 1.5, 100, 1e-4), (0.1, 20.0, 10, 1e-4), (1.0, 4.0, 3, 1e-4)],
)
def test_epsilon_is_what_the_accountant_says_by_hand(rate, noise, steps, delta):
    ours = plan(rate=rate, noise_multiplier=noise, steps=steps, delta=delta).epsilon()
    twin = by_hand(rate, noise, steps, delta)
    assert ours == pytest.approx(twin, rel=2e-3)
    assert ours <= renyi_epsilon([Part(rate, noise, steps)], delta)


def gaussian_epsilon(mu, delta):
    """The exact epsilon of a Gaussian mechanism (Balle and Wang, 2018)."""

    def excess(e):
        return norm.cdf(mu / 2 - e / mu) - exp(e) * norm.cdf(-mu / 2 - e / mu) - delta

    return float(brentq(excess, 1e-9, 100))  # type: ignore[arg-type]


@settings(max_examples=10, deadline=None, derandomize=True)
@given(noise=st.floats(1.0, 20.0), steps=st.integers(1, 30))
def test_without_sampling_it_is_never_below_the_exact_gaussian(noise, steps):
    delta = 1e-5
    exact = gaussian_epsilon(sqrt(steps) / noise, delta)
    ours = bound([Part(1.0, noise, steps)], delta).epsilon
    assert exact <= ours * (1 + 1e-9)
    assert ours <= exact * 1.01 + 1e-3


def test_more_steps_cost_more_and_more_noise_costs_less():
    by_steps = [plan(steps=s).epsilon() for s in (1, 10, 50, 200)]
    by_noise = [plan(noise_multiplier=z).epsilon() for z in (0.4, 0.8, 1.6, 5.0)]
    by_rate = [plan(rate=q).epsilon() for q in (0.01, 0.1, 0.5, 1.0)]
    assert by_steps == sorted(by_steps)
    assert by_noise == sorted(by_noise, reverse=True)
    assert by_rate == sorted(by_rate)


@pytest.mark.parametrize(("rate", "steps"), [(0.25, 100), (0.01, 500), (1.0, 1)])
@pytest.mark.parametrize("target", [0.5, 3.0, 8.0])
def test_calibration_meets_the_target_from_below(target, rate, steps):
    noise = least_noise(target, rate, steps, 1e-4)
    found = plan(rate=rate, steps=steps, noise_multiplier=noise).epsilon()
    assert 0.97 * target <= found <= target


def test_calibration_holds_for_an_extreme_target():
    assert bound([Part(0.25, least_noise(500.0, 0.25, 100, 1e-4), 100)], 1e-4).epsilon <= 500
    with pytest.raises(BadRecipe, match="epsilon"):
        least_noise(1e-9, 1.0, 100_000, 1e-30)


@pytest.mark.parametrize("n", [1, 2, 9, 10, 11, 99, 100, 341, 1000, 1001, 123_456])
def test_delta_is_well_below_one_over_n(n):
    assert 1 / (100 * n) < safe_delta(n) <= 1 / (10 * n) * (1 + 1e-12)


def test_a_plan_survives_its_record():
    made = plan()
    assert plan_of(made.record(seeded=False)) == made


@pytest.mark.parametrize(
    "changed",
    [{"mechanism": "magic"}, {"unit": "batch"}, {"relation": "none"}, {"rate": 1.5}, {"rate": 0.0},
     {"noise_multiplier": 0.0}, {"noise_multiplier": float("nan")}, {"noise_multiplier": "1"}, {"steps": 0},
     {"steps": 1.5}, {"delta": 1.0}, {"clip_norm": float("inf")}],
)  # fmt: skip
def test_a_damaged_record_is_no_plan(changed):
    assert plan_of(plan().record(seeded=False) | changed) is None


def test_an_incomplete_record_is_no_plan():
    record = plan().record(seeded=False)
    assert all(
        plan_of({k: v for k, v in record.items() if k != gone}) is None for gone in ("rate", "unit")
    )


def rows_of(draws):
    return [b.x[:, 0].long() for b in draws]


def test_batches_are_poisson_samples():
    """Sizes are binomial, no row comes twice, every row has the same chance; some batches are empty."""
    n, rate, steps = 12, 0.1, 4000
    data = Batch(torch.arange(n)[:, None].float(), torch.zeros(n).long())
    drawn = rows_of(plan(rate=rate, steps=steps).batches(data, lambda: seeded(3)))
    assert len(drawn) == steps
    assert all(len(r.unique()) == len(r) for r in drawn)
    sizes = torch.tensor([min(len(r), 4) for r in drawn]).bincount(minlength=5)
    expected = [steps * binom.pmf(k, n, rate) for k in range(4)]
    assert sizes[0] > 0
    assert chisquare(sizes.numpy(), [*expected, steps - sum(expected)]).pvalue > 1e-4
    counts = torch.cat(drawn).bincount(minlength=n)
    assert chisquare(counts.numpy()).pvalue > 1e-4


def test_rows_enter_independently():
    n, steps = 6, 6000
    data = Batch(torch.arange(n)[:, None].float(), torch.zeros(n).long())
    hits = torch.zeros(steps, n)
    for i, rows in enumerate(rows_of(plan(rate=0.3, steps=steps).batches(data, lambda: seeded(4)))):
        hits[i, rows] = 1
    off = torch.corrcoef(hits.T) - torch.eye(n)
    assert float(off.abs().max()) < 4.5 / sqrt(steps)


def test_the_gradient_rule_is_the_one_that_was_paid_for():
    rule = plan(rate=0.2, clip_norm=0.5, noise_multiplier=3.0).gradient(50, seeded())
    assert (rule.clip_norm, rule.noise_multiplier, rule.expected_size) == (0.5, 3.0, 10.0)
