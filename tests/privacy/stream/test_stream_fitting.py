"""Matrices that are found: as good as published ones, and never worse than independent noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.privacy.stream.fitting import _buffered, _complements, fitted, loss
from fivefold.privacy.stream.sensitivity import Participation, sensitivity
from fivefold.privacy.stream.toeplitz import Buffered, errors, square_root


def mean_loss(matrix, taking):
    error = errors(matrix.inverse(taking.n))
    return float(np.sqrt((error**2).mean())) * sensitivity(matrix.strategy(taking.n), taking)


def max_loss(matrix, taking):
    return float(errors(matrix.inverse(taking.n))[-1]) * sensitivity(
        matrix.strategy(taking.n), taking
    )


def once(n):
    return Participation(n, n, 1)


@given(
    st.tuples(st.integers(1, 60), st.integers(1, 20), st.integers(1, 30)),
    st.lists(st.floats(-3.0, 1.0), min_size=8, max_size=8),
    st.integers(0, 4),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_closed_forms_equal_sums_over_rows(rule, gaps, buffers):
    taking, roots = Participation(*rule), _complements(np.array(gaps[: 2 * buffers]))
    matrix = _buffered(*roots)
    assert np.exp(loss(*roots, taking, "mean")) == pytest.approx(mean_loss(matrix, taking))
    assert np.exp(loss(*roots, taking, "max")) == pytest.approx(max_loss(matrix, taking))


def test_it_finds_the_published_optimum():
    """JAX-Privacy (Apache-2.0) tests its own search against these numbers, for 100,000 rows and the worst error."""
    n = 100_000
    decays, scales = np.array([0.9999528892, 0.9857068667]), np.array([0.0122853238, 0.1878393665])
    published = np.concatenate([[1.0], scales @ decays[:, None] ** np.arange(n - 1)])
    found = fitted(once(n), 2, "max").strategy(n)
    assert np.abs(found / published - 1).max() < 5e-3


@pytest.mark.parametrize(
    ("n", "buffers", "above"), [(10, 1, 1.01), (100, 2, 1.01), (1000, 3, 1.005), (10_000, 3, 1.01)]
)
def test_few_buffers_come_near_the_square_root(n, buffers, above):
    root = square_root(n)
    least = float(root @ root)  # its error is its sensitivity
    assert least <= max_loss(fitted(once(n), buffers, "max"), once(n)) <= above * least


@pytest.mark.parametrize("n", [2, 10, 100, 1000])
def test_for_all_sums_together_it_beats_the_square_root(n):
    inverse = np.concatenate([[1.0], square_root(n)[1:] / (1 - 2 * np.arange(1, n))])
    theirs = np.sqrt((errors(inverse) ** 2).mean()) * np.linalg.norm(square_root(n))
    assert mean_loss(fitted(once(n), 3), once(n)) < theirs


@pytest.mark.parametrize("n", [1, 2, 8, 33])
def test_where_everything_is_read_every_time_noise_stays_independent(n):
    taking = Participation(n, 1, n)
    assert mean_loss(fitted(taking, 2), taking) == pytest.approx(
        mean_loss(Buffered(), taking), rel=1e-3
    )


@pytest.mark.parametrize("rule", [(1, 1, 1), (2, 2, 1), (12, 4, 3), (200, 20, 10), (64, 1, 64)])
@pytest.mark.parametrize("error", ["mean", "max"])
def test_it_is_never_worse_than_independent_noise(rule, error):
    taking = Participation(*rule)
    measure = mean_loss if error == "mean" else max_loss
    assert measure(fitted(taking, 3, error), taking) <= measure(Buffered(), taking) * (1 + 1e-8)
