"""The noise for an epsilon: a secant on a coarse privacy loss, started from a limit theorem (Dong et al., 2022).

The limit only says where to look. What is returned was seen to meet the target on the grid that reports
use, so the epsilon that is told later is never above what was asked.
"""

from collections.abc import Callable
from math import exp, expm1, inf, log, sqrt
from typing import TypeAlias

from fivefold.core.errors import BadRecipe
from fivefold.privacy.accounting import Part, bound

Excess: TypeAlias = Callable[[float], float]

MOST_NOISE, LEAST_NOISE = 1e6, 0.01
SLIGHT = 0.25  # so little noise costs next to nothing: no less is looked for
NEAR = 2.5e-3  # relative error of epsilon with which the coarse search ends
TIGHT = 1e-2  # epsilon may stay this share below its target
GENTLE = -0.5  # epsilon falls at least so fast, in logarithms, when noise grows
MOST_TRIES = 60
COARSE = 5e-4  # spacing of the coarse privacy loss for an epsilon of one


def calibrated(parts: Callable[[float], list[Part]], epsilon: float, delta: float) -> float:
    """Return a noise multiplier whose epsilon is at most `epsilon` and hardly less.

    Args:
        parts: What is done with a given noise multiplier.
        epsilon: What `bound` may say at most.
        delta: Probability with which the bound may fail.

    Raises:
        BadRecipe: No noise is enough.
    """

    def excess(x: float, grid: float | None = None) -> float:
        found = bound(parts(exp(x)), delta, grid).epsilon
        return log(max(found, 1e-12) / epsilon)

    grid = max(COARSE * epsilon, min(COARSE, 10 * COARSE * epsilon))
    start = log(_start(parts(1.0), epsilon, delta))
    # aimed a little below the target: on the fine grid epsilon is smaller, so this is the safe side
    x, slope = _secant(lambda x: excess(x, grid) + NEAR, start)
    return exp(_checked(excess, x, slope))


def _secant(excess: Excess, x: float) -> tuple[float, float]:
    """Return where the decreasing `excess` is nearly zero, and its slope there."""
    low, high, slope = log(LEAST_NOISE), log(MOST_NOISE), _usual_slope(x)
    for _ in range(MOST_TRIES):
        found = excess(x)
        low, high = (x, high) if found > 0 else (low, x)
        if abs(found) < NEAR or high - low < NEAR / 10 or (found <= 0 and x <= log(SLIGHT)):
            break
        before, x = x, x - max(min(found, 2.0), -2.0) / slope
        if not low < x < high:
            x = (low + high) / 2
        slope = min((excess(x) - found) / (x - before), GENTLE)
    return x, slope


def _checked(excess: Excess, x: float, slope: float) -> float:
    """Return a place near `x` where `excess`, on the grid of reports, is not positive.

    Raises:
        BadRecipe: There is none.
    """
    safe = inf
    for _ in range(MOST_TRIES):
        found = excess(x)
        if -TIGHT < found <= 0 or (found <= 0 and x <= log(SLIGHT)):
            return x
        if found <= 0:
            safe = min(safe, x)
        elif safe < inf:
            return safe  # it jumps in between
        x -= (found + TIGHT / 2) / slope
        if x > log(MOST_NOISE):
            break
    if safe < inf:
        return safe
    raise BadRecipe(
        "No amount of noise makes training as private as this epsilon asks.",
        mend="Raise epsilon or delta, or take fewer steps.",
    )


def _start(parts: list[Part], epsilon: float, delta: float) -> float:
    """Return about the noise that is needed if many small losses add up to a normal one.

    It is the largest that any of these needs alone: too small for losses that are rare and large.
    """
    wanted = _normal_loss(epsilon, delta)
    return max(_noise_of(wanted, p.rate * sqrt(p.steps)) for p in parts)


def _normal_loss(epsilon: float, delta: float) -> float:
    """Return about the mean shift, in deviations, of a Gaussian mechanism with this epsilon."""
    tail = sqrt(2 * log(1 / min(delta, 0.5)))
    return sqrt(tail**2 + 2 * epsilon) - tail


def _noise_of(wanted: float, weight: float) -> float:
    """Solve weight * sqrt(exp(1 / noise^2) - 1) = wanted."""
    inside = log(1 + (wanted / weight) ** 2)
    return min(max(1 / sqrt(max(inside, 1e-12)), 0.3), MOST_NOISE / 10)


def _usual_slope(x: float) -> float:
    """Return how fast the logarithm of epsilon falls with that of the noise, if losses were normal."""
    inverse = exp(-2 * x)
    return 1.1 * inverse / expm1(-min(inverse, 500.0)) if inverse > 1e-9 else -1.1
