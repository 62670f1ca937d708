import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.explanation.nested import added, places, weights


@pytest.mark.parametrize("n", [1, 2, 4, 8, 16, 64])
def test_polynomials_up_to_the_number_of_intervals_are_exact(n):
    x, w = places(n), weights(n)
    assert w.sum().item() == pytest.approx(1, abs=1e-13)
    assert (w > 0).all()
    for degree in range(min(n, 20) + 1):
        assert (w @ x**degree).item() == pytest.approx(1 / (degree + 1), abs=1e-12)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(0, 9))
def test_doubling_keeps_every_point(power):
    n = 2**power
    assert torch.allclose(places(2 * n)[::2], places(n), atol=1e-15)
    new = added(2 * n, first=1)
    assert sorted([*new.tolist(), *range(0, 2 * n + 1, 2)]) == list(range(2 * n + 1))


def test_smooth_functions_converge_at_once():
    x, w = places(16), weights(16)
    assert (w @ torch.exp(x)).item() == pytest.approx(torch.e - 1, abs=1e-13)
