"""The noise found is enough, and hardly more than enough."""

from math import inf

import pytest
from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent
from dp_accounting.pld import PLDAccountant
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.errors import BadRecipe
from fivefold.privacy.accounting import Part, bound
from fivefold.privacy.calibration import SLIGHT, calibrated
from fivefold.privacy.plan import least_noise


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    epsilon=st.floats(0.1, 10.0), rate=st.floats(0.002, 1.0),
    steps=st.integers(10, 1000), delta=st.sampled_from([1e-5, 1e-8]),
)  # fmt: skip
def test_the_epsilon_that_reports_will_show_is_just_below_the_target(epsilon, rate, steps, delta):
    noise = least_noise(epsilon, rate, steps, delta)
    found = bound([Part(rate, noise, steps)], delta).epsilon
    assert found <= epsilon
    assert found > 0.985 * epsilon or noise <= SLIGHT


@pytest.mark.parametrize("epsilon", [1.0, 4.0])
def test_the_accountant_by_itself_agrees_on_its_usual_grid(epsilon):
    noise = least_noise(epsilon, 0.02, 400, 1e-5)
    accountant = PLDAccountant()
    accountant.compose(PoissonSampledDpEvent(0.02, GaussianDpEvent(noise)), 400)
    assert 0.98 * epsilon < accountant.get_epsilon(1e-5) <= epsilon


def test_several_parts_are_paid_for_together():
    def parts(noise):
        return [Part(0.1, noise, 20), Part(0.3, 2 * noise, 10)]

    noise = calibrated(parts, 2.0, 1e-5)
    assert 1.96 < bound(parts(noise), 1e-5).epsilon <= 2.0
    assert bound(parts(noise)[:1], 1e-5).epsilon < 2.0


def test_a_loss_that_jumps_ends_on_its_safe_side(monkeypatch):
    import fivefold.privacy.calibration as module

    class Jumping:
        def __init__(self, parts, delta, grid=None):
            self.epsilon = 5.0 if parts[0].noise_multiplier < 3.0 else 0.5

    monkeypatch.setattr(module, "bound", Jumping)
    assert calibrated(lambda z: [Part(0.1, z, 10)], 1.0, 1e-5) >= 3.0


def test_a_loss_that_never_falls_is_refused(monkeypatch):
    import fivefold.privacy.calibration as module

    class Endless:
        def __init__(self, parts, delta, grid=None):
            self.epsilon = inf

    monkeypatch.setattr(module, "bound", Endless)
    with pytest.raises(BadRecipe, match="epsilon"):
        calibrated(lambda z: [Part(0.1, z, 10)], 1.0, 1e-5)


def test_where_sampling_alone_is_private_enough_the_search_ends():
    """delta is above rate * steps: the example is hardly ever seen, and no noise would be needed."""
    noise = least_noise(0.05, 0.001, 1, 1e-3)
    assert bound([Part(0.001, noise, 1)], 1e-3).epsilon <= 0.05
    assert noise <= SLIGHT * 2
