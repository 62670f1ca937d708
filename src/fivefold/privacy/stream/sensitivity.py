"""How far one example can move a run, if it comes back (Kalinin and Lampert, 2024, theorem 2).

Let the first column of a lower-triangular Toeplitz matrix C be non-negative and never increase. Among all
ways in which one example comes at most k times, at least b rows apart, the worst is to come first in row
0 and then every b rows. No two columns of C have a negative product, so contributions that are vectors of
norm one do no more together than equal ones do (Choquette-Choo et al., 2023).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy import ndarray

ROUNDING = 1e-9  # relative; far above what adding up a million rows loses


class Participation(NamedTuple):
    """How one example takes part: `most` times in `n` batches, each at least `separation` after the last."""

    n: int
    separation: int
    most: int

    @property
    def times(self) -> int:
        """How often it can take part at all."""
        return min(self.most, -(-self.n // self.separation))


def sensitivity(column: Float[ndarray, " row"], taking: Participation) -> float:
    """Return an upper bound, tight up to rounding, on the norm of C times all that one example adds.

    Args:
        column: First column of C, with `taking.n` rows.
        taking: How the example takes part, with contributions of norm one.

    Raises:
        ValueError: The theorem does not hold for this matrix.
    """
    if len(column) != taking.n or min(taking) < 1:
        raise ValueError(f"The matrix has {len(column)} rows, and takes part: {taking}.")
    if not np.isfinite(column).all() or (column < 0).any():
        raise ValueError(
            "The first column of the strategy matrix has to be finite and non-negative."
        )
    falling = np.maximum.accumulate(column[::-1])[::-1]  # exact where it never increases
    if (falling - column > ROUNDING * falling).any():
        raise ValueError("The first column of the strategy matrix must never increase.")
    moved = np.zeros(taking.n)
    for row in range(0, taking.times * taking.separation, taking.separation):
        moved[row:] += falling[: taking.n - row]
    return float(np.linalg.norm(moved)) * (1 + ROUNDING)
