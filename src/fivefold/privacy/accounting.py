"""Upper bounds on epsilon: privacy loss distributions (Koskela et al., 2020), by dp-accounting.

The loss distribution is rounded up on its grid, so the result is never below the true epsilon.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import comb
from typing import Any, Literal, NamedTuple

FINEST, COARSEST = 1e-4, 1e-3
QUICK = 5e-4  # share of a Renyi bound that is fine enough for a quick look
BEYOND = 200.0  # a distribution this wide costs much and says no more than the Renyi bound


class Part(NamedTuple):
    """Steps that each add Gaussian noise to a sum over a Poisson sample of the examples."""

    rate: float
    noise_multiplier: float
    steps: int


class Bound(NamedTuple):
    """An upper bound on epsilon and how it was found."""

    epsilon: float
    method: Literal["PLD upper bound", "Renyi upper bound", "exact"]


def bound(parts: Sequence[Part], delta: float, grid: float | None = None, group: int = 1) -> Bound:
    """Return the smallest upper bound known on the epsilon of all `parts` together.

    The relation is adding or removing one example, or up to `group` examples of one person.

    Args:
        parts: What was done, in any order.
        delta: Probability with which the bound may fail.
        grid: Least spacing of the privacy loss, for a quick look; chosen by the size of the answer if None.
        group: Most examples that one person has.
    """
    return _bound(tuple(sorted(parts)), delta, grid, group)


@lru_cache(maxsize=256)
def _bound(parts: tuple[Part, ...], delta: float, grid: float | None, group: int) -> Bound:
    renyi = renyi_epsilon(parts, delta) if group == 1 else _together(parts, delta, group)
    if renyi > BEYOND:
        return Bound(renyi, "Renyi upper bound")
    step = max(grid, renyi * QUICK) if grid else min(max(renyi * 1e-4, FINEST), COARSEST)
    from dp_accounting.pld import PLDAccountant

    accountant = PLDAccountant(value_discretization_interval=step)
    pld = float(accountant.compose(event(parts, group)).get_epsilon(delta))
    if pld <= renyi:
        return Bound(pld, "PLD upper bound")
    return Bound(renyi, "Renyi upper bound")


def _together(parts: Sequence[Part], delta: float, group: int) -> float:
    """Return the bound for a person whose examples are in every batch, all of them: looser and fast."""
    return renyi_epsilon([Part(1.0, p.noise_multiplier / group, p.steps) for p in parts], delta)


def forget() -> None:
    """Forget all answers, for whoever measures how long they take."""
    _bound.cache_clear()


def renyi_epsilon(parts: Sequence[Part], delta: float) -> float:
    """Return the bound by Renyi differential privacy (Mironov, 2017): looser and fast."""
    from dp_accounting.rdp import RdpAccountant

    # whole orders only: their moments are sums, without the series that may fail to converge
    accountant = RdpAccountant(orders=[*range(2, 33), 40, 48, 64, 96, 128, 192, 256, 512, 1024])
    return float(accountant.compose(event(parts)).get_epsilon(delta))


def event(parts: Sequence[Part], group: int = 1) -> Any:
    """Return `parts` in the accountant's own words, for a person who has `group` examples."""
    from dp_accounting import ComposedDpEvent, SelfComposedDpEvent

    return ComposedDpEvent([SelfComposedDpEvent(_step(p, group), p.steps) for p in parts])


def _step(part: Part, group: int) -> Any:
    """Return one step; how many of a person's examples are in a batch is binomial (Ganesh, 2024)."""
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent
    from dp_accounting.dp_event import MixtureOfGaussiansDpEvent

    if group == 1:
        return PoissonSampledDpEvent(part.rate, GaussianDpEvent(part.noise_multiplier))
    if part.rate == 1:
        return GaussianDpEvent(part.noise_multiplier / group)
    q, counts = part.rate, range(group + 1)
    chances = [comb(group, i) * q**i * (1 - q) ** (group - i) for i in counts]
    chances[0] = 1 - sum(chances[1:])
    return MixtureOfGaussiansDpEvent(part.noise_multiplier, [float(i) for i in counts], chances)
