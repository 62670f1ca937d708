"""The worst way to take part, against all ways that there are."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import toeplitz

from fivefold.privacy.stream.fitting import fitted
from fivefold.privacy.stream.sensitivity import Participation, sensitivity
from fivefold.privacy.stream.toeplitz import square_root

RULES = st.tuples(st.integers(1, 9), st.integers(1, 5), st.integers(1, 5))


def dense(column):
    return toeplitz(column, np.zeros(len(column)))


def patterns(taking):
    """Every set of rows in which an example may take part."""
    for times in range(1, taking.most + 1):
        for rows in combinations(range(taking.n), times):
            if all(b - a >= taking.separation for a, b in pairwise(rows)):
                yield rows


def by_brute_force(matrix, taking):
    """The largest norm of the sum of the columns of any pattern; none of their products is negative."""
    return max(np.linalg.norm(matrix[:, rows].sum(1)) for rows in patterns(taking))


@given(RULES, st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_it_is_the_largest_of_all_patterns(rule, data):
    taking = Participation(*rule)
    drawn = data.draw(st.lists(st.floats(0.0, 2.0), min_size=taking.n, max_size=taking.n))
    column = np.sort(drawn)[::-1]
    largest = by_brute_force(dense(column), taking)
    assert largest <= sensitivity(column, taking) <= largest * (1 + 1e-8) + 1e-300


@given(RULES)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_it_holds_for_the_matrices_that_are_used(rule):
    taking = Participation(*rule)
    column = fitted(taking, 2).strategy(taking.n)
    largest = by_brute_force(dense(column), taking)
    assert largest <= sensitivity(column, taking) <= largest * (1 + 1e-8)


def test_vectors_do_no_more_than_equal_ones():
    taking, rng = Participation(12, 4, 3), np.random.default_rng(0)
    column = fitted(taking, 3).strategy(12)
    worst = 0.0
    for _ in range(300):
        given = np.zeros((12, 3))
        rows = [0, 4, 8]
        given[rows] = rng.normal(size=(3, 3))
        given[rows] /= np.linalg.norm(given[rows], axis=1, keepdims=True)
        worst = max(worst, float(np.linalg.norm(dense(column) @ given)))
    assert 0.8 * sensitivity(column, taking) < worst <= sensitivity(column, taking)


@given(RULES, st.lists(st.integers(1, 8), max_size=3))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_a_run_whose_noise_starts_anew_moves_no_further(rule, cuts):
    """After an interruption the buffers are empty: entries between the two parts are zero."""
    taking = Participation(*rule)
    column = fitted(taking, 2).strategy(taking.n)
    part = np.searchsorted(sorted(cuts), np.arange(taking.n), side="right")
    cut = np.where(part[:, None] == part, dense(column), 0.0)
    assert by_brute_force(cut, taking) <= sensitivity(column, taking)


@pytest.mark.parametrize(("rule", "square"), [((5, 5, 1), 1.0), ((5, 1, 3), 3.0), ((6, 2, 9), 3.0)])
def test_independent_noise_pays_for_each_time(rule, square):
    column = np.eye(rule[0])[0]
    assert sensitivity(column, Participation(*rule)) == pytest.approx(square**0.5)


def test_once_it_is_the_norm_of_the_first_column():
    column = square_root(50)
    assert sensitivity(column, Participation(50, 50, 1)) == pytest.approx(np.linalg.norm(column))


@pytest.mark.parametrize(
    "column", [[1.0, -0.1, 0.0], [1.0, 0.2, 0.3], [1.0, np.nan, 0.0], [np.inf, 1.0, 0.0]]
)
def test_where_the_theorem_does_not_hold_nothing_is_said(column):
    with pytest.raises(ValueError, match="strategy matrix"):
        sensitivity(np.array(column), Participation(3, 1, 2))


@pytest.mark.parametrize("rule", [(4, 1, 1), (3, 0, 1), (3, 1, 0)])
def test_rules_that_do_not_fit_are_refused(rule):
    with pytest.raises(ValueError, match="takes part"):
        sensitivity(np.ones(3), Participation(*rule))
