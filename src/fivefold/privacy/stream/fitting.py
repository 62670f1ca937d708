"""The buffered Toeplitz matrix with least error in prefix sums (McMahan et al., 2024).

The generating functions of a strategy matrix and of its inverse are quotients of the same two polynomials.
Their roots take turns on the way to one, so that all weights are positive and the first column of the
strategy falls, as the theorem on sensitivity asks (McMahan and Pillutla, 2025). Sums over rows have closed
forms, so that a run of a million batches takes no longer to prepare than one of ten.
"""

from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from fivefold.privacy.stream.sensitivity import Participation
from fivefold.privacy.stream.toeplitz import Buffered

Error: TypeAlias = Literal["mean", "max"]

NARROWEST, WIDEST = (
    -4.0,
    3.0,
)  # logarithm of how far two roots are apart, where depth is logarithmic
DEEPEST, APART = 34.0, 1e-3  # no root is nearer to one than exp(-34), and no two are equal
MOST_ROUNDS, CLOSE = 200, 1e-5  # of the search, and the gain per round with which it ends
TINY = 1e-12


@lru_cache(maxsize=64)
def fitted(taking: Participation, buffers: int, error: Error = "mean") -> Buffered:
    """Return about the matrix with least error in prefix sums at equal privacy; the identity if none is better.

    Privacy does not rest on the search: whatever it finds is paid for by its own sensitivity.

    Args:
        taking: How one example takes part.
        buffers: How many buffers the inverse may have.
        error: Of which prefix sums: "mean" for all of them by root mean square, "max" for the worst.
    """
    from scipy.optimize import minimize

    if taking.n == 1 or not buffers:
        return Buffered()
    found = minimize(
        lambda gaps: loss(*_complements(gaps), taking, error),
        _spread(max(taking.separation, 2), 2 * buffers),
        method="L-BFGS-B",
        bounds=[(NARROWEST, WIDEST)] * (2 * buffers),
        options={"maxiter": MOST_ROUNDS, "ftol": CLOSE},
    )
    independent = loss(np.zeros(0), np.zeros(0), taking, error)
    return _buffered(*_complements(found.x)) if found.fun < independent else Buffered()


def loss(
    strategy: Float[ndarray, " buffer"],
    inverse: Float[ndarray, " buffer"],
    taking: Participation,
    error: Error,
) -> float:
    """Return the logarithm of error times sensitivity.

    Args:
        strategy: One minus each root of the strategy matrix, ascending.
        inverse: One minus each root of its inverse, ascending, each above that of the strategy.
        taking: How one example takes part.
        error: Of which prefix sums.
    """
    square = _square_error(strategy, inverse, taking.n, error)
    return float(np.log(square * _square_sensitivity(strategy, inverse, taking)) / 2)


def _spread(span: int, n_roots: int) -> Float[ndarray, " gap"]:
    """Return gaps of roots that are spread evenly, by depth, from zero to beyond one minus 1 / `span`."""
    return np.log(np.full(n_roots, np.log(4 * span) / n_roots))


def _complements(gaps: Float[ndarray, " gap"]) -> tuple[ndarray, ndarray]:
    """Return one minus the roots of strategy and inverse, from the logarithms of the gaps between them."""
    depth = np.minimum(np.cumsum(np.exp(gaps)), DEEPEST) + APART * np.arange(len(gaps))
    complement = np.exp(-depth)[::-1]
    return complement[0::2], complement[1::2]


def _buffered(strategy: ndarray, inverse: ndarray) -> Buffered:
    weights = _residues(strategy, inverse)
    return Buffered(decays=tuple((1 - inverse).tolist()), weights=tuple(weights.tolist()))


def _residues(over: ndarray, under: ndarray) -> ndarray:
    """Return the sizes of the residues of a quotient whose roots have these complements."""
    between = np.abs(under[:, None] - under) + np.eye(len(under))
    return np.abs(under[:, None] - over).prod(1) / between.prod(1)


def _square_error(strategy: ndarray, inverse: ndarray, n: int, error: Error) -> float:
    """Return the variance of the noise in the first `n` prefix sums, their mean or the last, for variance one.

    Prefix sums of the inverse are sums of powers of its roots and of one, with positive weights.
    """
    roots = np.concatenate([[0.0], inverse])
    weights = _residues(strategy, roots)
    summed = _falling if error == "mean" else _geometric
    return float(weights @ summed(_product(roots), n) @ weights)


def _square_sensitivity(strategy: ndarray, inverse: ndarray, taking: Participation) -> float:
    """Return the squared norm of the columns of C in which an example takes part, by stretches between them.

    Within a stretch each root's share of all earlier columns fades by itself.
    """
    gap, times = taking.separation, taking.times
    lengths = np.minimum(gap, taking.n - gap * np.arange(-(-taking.n // gap)))  # (stretch,)
    weights = _residues(inverse, strategy)
    keep = np.log1p(-strategy)
    stretch = np.arange(len(lengths))[:, None]
    since = np.maximum(stretch - times + 1, 0)  # stretches since the last time
    held = _geometric(-np.expm1(gap * keep), np.minimum(stretch + 1, times))
    held = held * np.exp(gap * since * keep) * weights  # (stretch, buffer)
    before = np.concatenate([np.zeros((1, len(weights))), held[:-1]]) * np.exp((gap - 1) * keep)
    first = (stretch[:, 0] < times) + before.sum(1)
    rest = _geometric(_product(strategy), (lengths - 1)[:, None, None])
    return float((first**2).sum() + np.einsum("si,sij,sj->", held, rest, held))


def _product(complement: ndarray) -> ndarray:
    """Return one minus the products of all pairs of roots, without loss of digits."""
    return complement[:, None] + complement - complement[:, None] * complement


def _geometric(complement: ndarray, n: ndarray | int) -> ndarray:
    """Return the sums of the first `n` powers of one minus `complement`."""
    is_one = complement < TINY
    safe = np.where(is_one, 0.5, complement)
    with np.errstate(divide="ignore"):
        return np.where(is_one, n, -np.expm1(n * np.log1p(-safe)) / safe)


def _falling(complement: ndarray, n: int) -> ndarray:
    """Return the means, over m up to `n`, of the sums of the first m powers of one minus `complement`."""
    is_one = n * complement < 1e-6
    safe = np.where(is_one, 0.5, complement)
    tail = (1 - safe) * _geometric(safe, n)
    near = (n + 1) / 2 - complement * (n * n - 1) / 6
    return np.where(is_one, near, (1 - tail / n) / safe)
