"""Buffered linear Toeplitz matrices (Dvijotham et al., 2024; inverted as in McMahan and Pillutla, 2025).

A lower-triangular Toeplitz matrix is known by its first column. Noise `z` of equal and independent rows
becomes `inverse(C) z`, and the gradients of a whole run are protected like `C` times them plus `z`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray


@dataclass(frozen=True, kw_only=True)
class Buffered:
    """A strategy matrix C whose inverse is applied with as many buffers as there are decays.

    Each buffer is a fading sum of past rows; the next row of the inverse takes `weights` times the buffers
    away from the new row. Without buffers C is the identity, and noise is independent.

    Attributes:
        decays: How much of each buffer is left after a row.
        weights: How much of each buffer is taken away.
    """

    decays: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.decays) != len(self.weights):
            raise ValueError("A buffered Toeplitz matrix has as many weights as decays.")
        if not all(0 <= d <= 1 for d in self.decays) or not all(0 <= w < 1 for w in self.weights):
            raise ValueError("Decays lie in [0, 1], and weights in [0, 1).")

    def strategy(self, n: int) -> Float[ndarray, " row"]:
        """Return the first column of the n x n matrix C.

        Every term is added and none is taken away, so nothing is lost to rounding.
        """
        pairs, buffers = [*zip(self.decays, self.weights, strict=True)], [0.0] * len(self.decays)
        column = np.empty(n)
        for i in range(n):
            now = 0.0 if i else 1.0
            for (_, weight), held in zip(pairs, buffers, strict=True):
                now += weight * held
            buffers = [d * held + now for (d, _), held in zip(pairs, buffers, strict=True)]
            column[i] = now
        return column

    def inverse(self, n: int) -> Float[ndarray, " row"]:
        """Return the first column of the inverse of the n x n matrix C."""
        decays, weights = np.array(self.decays), np.array(self.weights)
        powers = decays[:, None] ** np.arange(max(n - 1, 0))
        return np.concatenate([[1.0], -(weights @ powers)])[:n]


def square_root(n: int) -> Float[ndarray, " row"]:
    """Return the first column of the square root of prefix sums (Fichtenberger et al., 2023).

    No other Toeplitz matrix has less error in its worst prefix sum for its sensitivity when each example
    comes once. It needs a memory of n rows, where a buffered one needs a few.
    """
    k = np.arange(1, n)
    return np.concatenate([[1.0], np.cumprod((2 * k - 1) / (2 * k))])[:n]


def errors(inverse: Float[ndarray, " row"]) -> Float[ndarray, " row"]:
    """Return the standard deviation of the noise in each prefix sum, for `z` of deviation one.

    Args:
        inverse: First column of the inverse of the strategy matrix.
    """
    return np.sqrt(np.cumsum(np.cumsum(inverse) ** 2))
