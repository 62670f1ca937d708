"""Buffered matrices against dense ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import toeplitz

from fivefold.privacy.stream.toeplitz import Buffered, errors, square_root

DECAYS = st.lists(st.floats(0.0, 1.0), min_size=0, max_size=4)


def dense(column):
    """The lower-triangular Toeplitz matrix with this first column."""
    return toeplitz(column, np.zeros(len(column)))


@given(DECAYS, st.integers(1, 40), st.data())
@settings(max_examples=20, deadline=None, derandomize=True)
def test_strategy_and_inverse_are_inverses(decays, n, data):
    weights = [data.draw(st.floats(0.0, 0.9 / len(decays))) for _ in decays]
    matrix = Buffered(decays=tuple(decays), weights=tuple(weights))
    inverse = np.linalg.inv(dense(matrix.inverse(n)))
    assert np.allclose(dense(matrix.strategy(n)), inverse, rtol=1e-9, atol=1e-9)


def test_without_buffers_it_is_the_identity():
    assert Buffered().strategy(4).tolist() == Buffered().inverse(4).tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("n", [1, 2, 17])
def test_the_square_root_squared_gives_prefix_sums(n):
    root = dense(square_root(n))
    assert np.allclose(root @ root, np.tri(n))


def test_errors_are_those_of_dense_prefix_sums():
    matrix = Buffered(decays=(0.9, 0.3), weights=(0.2, 0.4))
    noise = np.tri(12) @ dense(matrix.inverse(12))
    assert np.allclose(errors(matrix.inverse(12)), np.linalg.norm(noise, axis=1))


@pytest.mark.parametrize(
    "bad", [((0.5,), ()), ((1.1,), (0.1,)), ((-0.1,), (0.1,)), ((0.5,), (1.0,)), ((0.5,), (-0.1,)),
            ((float("nan"),), (0.1,)), ((0.5,), (float("nan"),))]
)  # fmt: skip
def test_nonsense_is_refused(bad):
    with pytest.raises(ValueError, match="ecays"):
        Buffered(decays=bad[0], weights=bad[1])
