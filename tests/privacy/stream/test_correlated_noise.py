"""Streamed noise is what the dense inverse makes of independent noise, and sums hold little of it."""

import numpy as np
import pytest
import torch
from scipy.linalg import toeplitz
from torch import Generator

from fivefold.privacy.stream.fitting import fitted
from fivefold.privacy.stream.noise import CorrelatedNoise
from fivefold.privacy.stream.sensitivity import Participation, sensitivity
from fivefold.privacy.stream.toeplitz import Buffered, errors
from fivefold.training.private.noise import PIECE, normals
from seeding import seeded

MATRIX = Buffered(decays=(0.95, 0.4), weights=(0.05, 0.3))


def streamed(matrix, n, size, rng, deviation=1.0, x=None):
    noise = CorrelatedNoise(matrix, rng, n)
    x = torch.zeros(size, dtype=torch.float64) if x is None else x
    return torch.stack([noise.noised(x, deviation) for _ in range(n)])


def independent(n, size, rng):
    return torch.stack([torch.cat([*normals(size, rng)]) for _ in range(n)])


@pytest.mark.parametrize("size", [3, 2 * PIECE + 5])
@pytest.mark.parametrize("matrix", [MATRIX, Buffered()])
def test_it_is_the_inverse_times_independent_noise(matrix, size):
    n = 9
    z = independent(n, size, seeded(4))
    inverse = torch.from_numpy(toeplitz(matrix.inverse(n), np.zeros(n)))
    assert torch.allclose(streamed(matrix, n, size, seeded(4)), inverse @ z, atol=1e-12)
    strategy = torch.from_numpy(toeplitz(matrix.strategy(n), np.zeros(n)))
    assert torch.allclose(strategy @ streamed(matrix, n, size, seeded(4)), z, atol=1e-10)


def test_it_is_added_with_the_deviation_asked_for():
    x = torch.arange(4.0)
    plain, scaled = (streamed(MATRIX, 3, 4, seeded(1), deviation=d, x=x) for d in (1e-9, 2.0))
    assert torch.allclose(plain, x.expand(3, 4), atol=1e-7)
    z = streamed(MATRIX, 3, 4, seeded(1))
    assert torch.allclose(scaled, (x + 2 * z).float(), atol=1e-6)
    assert scaled.dtype == torch.float32


def test_no_more_noise_is_given_out_than_was_paid_for():
    noise = CorrelatedNoise(MATRIX, seeded(), 2)
    for _ in range(2):
        noise.noised(torch.zeros(3), 1.0)
    with pytest.raises(AssertionError, match="paid"):
        noise.noised(torch.zeros(3), 1.0)


def test_buffers_take_no_more_memory_than_they_say():
    noise = CorrelatedNoise(MATRIX, seeded(), 2)
    noise.noised(torch.zeros(7), 1.0)
    assert noise.buffers is not None
    assert noise.buffers.shape == (2, 7)


def measured(matrix, n, taking, rng: Generator):
    """Root mean square error of prefix sums, at noise multiplier one for the whole run, and what theory says."""
    deviation = sensitivity(matrix.strategy(n), taking)
    sums = streamed(matrix, n, 400, rng, deviation).cumsum(0)
    theory = deviation * np.sqrt((errors(matrix.inverse(n)) ** 2).mean())
    return float(sums.square().mean().sqrt()), theory


@pytest.mark.parametrize(
    ("rule", "times"), [((256, 256, 1), 4.0), ((1024, 1024, 1), 7.0), ((512, 128, 4), 4.0)]
)
def test_prefix_sums_hold_far_less_of_it_at_equal_epsilon(rule, times, record_property):
    """The point: both runs are one Gaussian with the same noise multiplier, so epsilon is the same."""
    taking = Participation(*rule)
    plain, expected = measured(Buffered(), rule[0], taking, seeded(2))
    ours, theory = measured(fitted(taking, 3), rule[0], taking, seeded(3))
    assert plain == pytest.approx(expected, rel=0.1)
    assert ours == pytest.approx(theory, rel=0.1)
    record_property("error of prefix sums", {"independent": plain, "correlated": ours})
    assert ours * times < plain


def by_tree(n):
    """Root mean square error of prefix sums by tree aggregation, at noise multiplier one."""
    depth = int(np.log2(n)) + 1
    return np.sqrt(np.mean([depth * bin(i).count("1") for i in range(1, n + 1)]))


@pytest.mark.parametrize("n", [64, 1024])
def test_it_has_less_error_than_tree_aggregation(n):
    taking = Participation(n, n, 1)
    matrix = fitted(taking, 3)
    error = np.sqrt((errors(matrix.inverse(n)) ** 2).mean())
    assert error * sensitivity(matrix.strategy(n), taking) < 0.6 * by_tree(n)
