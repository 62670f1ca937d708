"""Upper bounds on epsilon: privacy loss distributions (Koskela et al., 2020), by dp-accounting.

The loss distribution is rounded up on its grid, so the result is never below the true epsilon.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import comb, exp, inf
from typing import Any, Literal, NamedTuple, TypeAlias

FINEST, COARSEST = 1e-4, 1e-3
QUICK = 5e-4  # share of a Renyi bound that is fine enough for a quick look
MOST_GROUPED = 32  # more examples of one person take too long
LEAST_GROUPED = 0.05  # so does less noise, in units of all of them
# whole ones only: their moments are sums, without the series that may fail to converge
ORDERS = (*range(2, 33), 40, 48, 64, 96, 128, 192, 256, 512, 1024)
BEYOND = 200.0  # a distribution this wide costs much and says no more than the Renyi bound


class Part(NamedTuple):
    """Steps that each add Gaussian noise to a sum over a Poisson sample of the examples."""

    rate: float
    noise_multiplier: float
    steps: int

    @property
    def is_sound(self) -> bool:
        """Whether these are numbers that a mechanism can have."""
        rate, noise, steps = self
        return 0 < rate <= 1 and 0 < noise < inf and 0 < steps < inf and steps == int(steps)


class Repeated(NamedTuple):
    """A secret, random number of whole runs of which the best was kept (Papernot and Steinke, 2022).

    That number is Poisson for an infinite `shape`, geometric for 1, logarithmic for 0, and else truncated
    negative binomial.
    """

    mean: float
    shape: float

    @property
    def is_sound(self) -> bool:
        """Whether these are numbers that a distribution can have."""
        return 1 <= self.mean < inf and self.shape >= 0


class Run(NamedTuple):
    """What was done `times` times over: all of `parts`, or `repeats` of them of which the best was kept."""

    parts: tuple[Part, ...]
    repeats: Repeated | None = None
    times: int = 1


Method: TypeAlias = Literal["PLD upper bound", "Renyi upper bound", "exact"]


class Bound(NamedTuple):
    """An upper bound on epsilon and how it was found."""

    epsilon: float
    method: Method


def composed(runs: Sequence[Run], delta: float, group: int = 1) -> Bound:
    """Return the smallest upper bound known on the epsilon of all `runs` together.

    Where one of them is the best of a random number, only its Renyi divergences are known, so all are added
    up by those.
    """
    if all(run.repeats is None for run in runs):
        parts = [p._replace(steps=p.steps * run.times) for run in runs for p in run.parts]
        return bound(parts, delta, group=group)
    return Bound(_renyi_of([_run(run, group) for run in runs], delta), "Renyi upper bound")


def composed_replacing(shared: Sequence[Run], grouped: Sequence[Run], delta: float) -> Bound:
    """Return the bound for one example more or less, where `grouped` runs hide whole owners.

    To them it is one owner gone and another come: a second step that the runs in `shared` do not take.
    """
    first = composed([*shared, *grouped], delta / 2)
    rest = delta / 2 * exp(-first.epsilon)
    if rest == 0:
        return Bound(inf, "Renyi upper bound")
    second = composed(grouped, rest)
    method: Method = first.method if first.method == second.method else "Renyi upper bound"
    return Bound(first.epsilon + second.epsilon, method)


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
    if group > 1:
        return _of_group(parts, delta, group)
    renyi = renyi_epsilon(parts, delta)
    if renyi > BEYOND:
        return Bound(renyi, "Renyi upper bound")
    step = max(grid, renyi * QUICK) if grid else min(max(renyi * 1e-4, FINEST), COARSEST)
    return _smaller(_distributed(event(parts), delta, step), renyi)


def _of_group(parts: tuple[Part, ...], delta: float, group: int) -> Bound:
    """Return the bound for a person with several examples, on a grid that its size allows."""
    always = [Part(1.0, p.noise_multiplier / group, p.steps) for p in parts]
    renyi = renyi_epsilon(always, delta)  # as if all of them were in every batch: looser and fast
    if group > MOST_GROUPED or min(p.noise_multiplier for p in always) < LEAST_GROUPED:
        return Bound(renyi, "Renyi upper bound")
    likely = [
        a._replace(rate=1 - (1 - p.rate) ** group) for p, a in zip(parts, always, strict=True)
    ]
    size = renyi_epsilon(likely, delta)  # chooses the grid and nothing else
    step = min(max(size * 1e-3, COARSEST), 10 * COARSEST)
    return _smaller(_distributed(event(parts, group), delta, step), renyi)


def _distributed(done: Any, delta: float, step: float) -> float:
    """Return the bound by the distribution of the privacy loss, rounded up to multiples of `step`."""
    from dp_accounting.pld import PLDAccountant

    return float(PLDAccountant(value_discretization_interval=step).compose(done).get_epsilon(delta))


def _smaller(pld: float, renyi: float) -> Bound:
    return Bound(pld, "PLD upper bound") if pld <= renyi else Bound(renyi, "Renyi upper bound")


def forget() -> None:
    """Forget all answers, for whoever measures how long they take."""
    _bound.cache_clear()


def renyi_epsilon(parts: Sequence[Part], delta: float) -> float:
    """Return the bound by Renyi differential privacy (Mironov, 2017): looser and fast."""
    return _renyi_of([event(parts)], delta)


def _renyi_of(done: Sequence[Any], delta: float) -> float:
    from dp_accounting.rdp import RdpAccountant

    accountant = RdpAccountant(orders=ORDERS)
    for one in done:
        accountant.compose(one)
    return float(accountant.get_epsilon(delta))


def event(parts: Sequence[Part], group: int = 1) -> Any:
    """Return `parts` in the accountant's own words, for a person who has `group` examples."""
    from dp_accounting import ComposedDpEvent, SelfComposedDpEvent

    return ComposedDpEvent([SelfComposedDpEvent(_step(p, group), p.steps) for p in parts])


def _run(run: Run, group: int) -> Any:
    """Return `run` in the accountant's own words; a person with several examples has all in every batch."""
    from dp_accounting import SelfComposedDpEvent
    from dp_accounting.dp_event import RepeatAndSelectDpEvent

    parts = run.parts
    if group > 1:
        parts = tuple(Part(1.0, p.noise_multiplier / group, p.steps) for p in parts)
    done = event(parts)
    if run.repeats is not None:
        done = RepeatAndSelectDpEvent(done, run.repeats.mean, run.repeats.shape)
    return SelfComposedDpEvent(done, run.times)


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
