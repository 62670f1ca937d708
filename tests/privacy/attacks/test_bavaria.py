"""BaVarIA's predictive density against scipy, its prior against known truths."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, t

from fivefold.privacy import BaVarIA
from fivefold.privacy.attacks import ShadowView, View
from fivefold.privacy.attacks.bavaria import FIRMEST, _firmness, posterior
from fivefold.privacy.attacks.signal import Spread
from fivefold.privacy.shadow import halves
from seeding import seeded


def drawn(n, pairs, seed):
    own = seeded(seed)
    inside = halves(n, 2 * pairs, own)
    shadow = torch.randn(2 * pairs, n, generator=own, dtype=torch.float64) + inside
    target = torch.randn(n, generator=own, dtype=torch.float64)
    return target, shadow, inside


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(3, 20), pairs=st.integers(2, 5), seed=st.integers(0, 999))
@pytest.mark.parametrize("predictive", ["t", "normal"])
def test_scores_are_log_ratios_of_densities(n, pairs, seed, predictive):
    target, shadow, inside = drawn(n, pairs, seed)
    view = View(None, None, 1, target, ShadowView(shadow, inside))  # type: ignore[arg-type]
    found = torch.cat(BaVarIA(predictive=predictive).scores(view, seeded()))
    logs = []
    for chosen in (inside, ~inside):
        p = posterior(Spread(shadow, chosen))
        scale = p.variance.sqrt().numpy()
        x, mean = target.numpy(), p.mean.numpy()
        logs.append(
            norm.logpdf(x, mean, scale)
            if predictive == "normal"
            else t.logpdf(x, p.freedom.numpy(), mean, scale)
        )
    torch.testing.assert_close(found, torch.from_numpy(logs[0] - logs[1]))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(3, 10), seed=st.integers(0, 999))
def test_the_posterior_is_the_one_of_observations_added_one_by_one(n, seed):
    """Conjugate updating, a shadow at a time, from the same prior."""
    _, shadow, inside = drawn(n, 3, seed)
    spread = Spread(shadow, inside)
    firm, within = _firmness(spread), float(spread.pooled)
    between = max(float(spread.mean.var()) - within / 3, 1e-12)
    found = posterior(spread)
    for i in range(n):
        mean, weight = float(spread.mean.mean()), within / between
        alpha, beta = firm / 2, within * (firm / 2 - 1)
        for x in shadow[:, i][inside[:, i]].tolist():
            beta += 0.5 * weight / (weight + 1) * (x - mean) ** 2
            mean, weight, alpha = (weight * mean + x) / (weight + 1), weight + 1, alpha + 0.5
        assert float(found.mean[i]) == pytest.approx(mean)
        assert float(found.freedom[i]) == pytest.approx(2 * alpha)
        assert float(found.variance[i]) == pytest.approx(beta * (weight + 1) / (alpha * weight))


def test_rows_of_one_variance_share_it_and_others_keep_theirs():
    own, n = seeded(4), 4000
    inside = torch.ones(5, n, dtype=torch.bool)
    alike = torch.randn(5, n, generator=own, dtype=torch.float64)
    assert 40 < _firmness(Spread(alike, inside)) <= FIRMEST
    widths = torch.exp(torch.randn(n, generator=own, dtype=torch.float64))
    assert _firmness(Spread(alike * widths, inside)) < 10
