"""Upper bounds on epsilon: privacy loss distributions (Koskela et al., 2020), by dp-accounting.

The loss distribution is rounded up on its grid, so the result is never below the true epsilon.
"""

from collections.abc import Sequence
from functools import lru_cache
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


def bound(parts: Sequence[Part], delta: float, grid: float | None = None) -> Bound:
    """Return the smallest upper bound known on the epsilon of all `parts` together.

    The relation is adding or removing one example.

    Args:
        parts: What was done, in any order.
        delta: Probability with which the bound may fail.
        grid: Least spacing of the privacy loss, for a quick look; chosen by the size of the answer if None.
    """
    return _bound(tuple(sorted(parts)), delta, grid)


@lru_cache(maxsize=256)
def _bound(parts: tuple[Part, ...], delta: float, grid: float | None) -> Bound:
    renyi = renyi_epsilon(parts, delta)
    if renyi > BEYOND:
        return Bound(renyi, "Renyi upper bound")
    step = max(grid, renyi * QUICK) if grid else min(max(renyi * 1e-4, FINEST), COARSEST)
    from dp_accounting.pld import PLDAccountant

    accountant = PLDAccountant(value_discretization_interval=step)
    pld = float(accountant.compose(event(parts)).get_epsilon(delta))
    if pld <= renyi:
        return Bound(pld, "PLD upper bound")
    return Bound(renyi, "Renyi upper bound")


def forget() -> None:
    """Forget all answers, for whoever measures how long they take."""
    _bound.cache_clear()


def renyi_epsilon(parts: Sequence[Part], delta: float) -> float:
    """Return the bound by Renyi differential privacy (Mironov, 2017): looser and fast."""
    from dp_accounting.rdp import RdpAccountant

    # whole orders only: their moments are sums, without the series that may fail to converge
    accountant = RdpAccountant(orders=[*range(2, 33), 40, 48, 64, 96, 128, 192, 256, 512, 1024])
    return float(accountant.compose(event(parts)).get_epsilon(delta))


def event(parts: Sequence[Part]) -> Any:
    """Return `parts` in the accountant's own words."""
    from dp_accounting import (
        ComposedDpEvent,
        GaussianDpEvent,
        PoissonSampledDpEvent,
        SelfComposedDpEvent,
    )

    return ComposedDpEvent(
        [
            SelfComposedDpEvent(
                PoissonSampledDpEvent(p.rate, GaussianDpEvent(p.noise_multiplier)), p.steps
            )
            for p in parts
        ]
    )
