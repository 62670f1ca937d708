"""One private run over a stream, bound together: what is read, clipped, noised and paid for.

Let G be the clipped sums of all batches, and C a lower-triangular matrix. Publishing G plus `inverse(C) z` is
as private as publishing `C G + z`, which is one Gaussian mechanism, however later gradients depend on what was
published before (Denisov et al., 2022). Nothing is sampled, so nothing is amplified.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from math import isfinite
from typing import Any, Self

from fivefold.privacy.accounting import Part, bound
from fivefold.privacy.stream.sensitivity import Participation, sensitivity
from fivefold.privacy.stream.toeplitz import Buffered

MECHANISM = "streamed gaussian"
UNIT, RELATION = "example", "zero out one"
MOST_BATCHES, MOST_WORK = 10**6, 2 * 10**9


@dataclass(frozen=True, kw_only=True)
class StreamPlan:
    """A Gaussian mechanism whose noise is correlated over the batches of a stream.

    It hides whether one example counts or its gradients are zero, all others staying where they are.

    Attributes:
        batches: Number of batches.
        separation: Batches from one turn of an example to its next, at least.
        turns: How often an example is read, at most.
        clip_norm: Largest L2 norm of one example's contribution to a batch.
        deviation: Standard deviation of the noise before it is correlated, in units of `clip_norm`.
        decays: How much of each buffer of past noise is left after a batch.
        weights: How much of each buffer is taken away from new noise.
        delta: Probability with which the bound on epsilon may fail.
    """

    batches: int
    separation: int
    turns: int
    clip_norm: float
    deviation: float
    decays: tuple[float, ...]
    weights: tuple[float, ...]
    delta: float

    def __post_init__(self) -> None:
        positive = (self.clip_norm, self.deviation, self.delta)
        if not all(isfinite(v) and v > 0 for v in positive) or self.delta >= 1:
            raise ValueError(f"Numbers of a plan are positive and finite, and delta < 1: {self}.")
        counts = (self.batches, self.separation, self.turns)
        if not all(v == int(v) and v >= 1 for v in counts):
            raise ValueError(f"A plan needs whole batches, separation and turns: {self}.")
        if self.batches > MOST_BATCHES or self.batches * self.taking.times > MOST_WORK:
            raise ValueError(f"The sensitivity of so long a run takes too long to find: {self}.")
        _ = self.sensitivity  # the theorem it rests on must hold

    @property
    def strategy(self) -> Buffered:
        """The matrix whose inverse correlates the noise."""
        return Buffered(decays=self.decays, weights=self.weights)

    @property
    def taking(self) -> Participation:
        """How one example takes part."""
        return Participation(self.batches, self.separation, self.turns)

    @property
    def sensitivity(self) -> float:
        """How far one example with contributions of norm one can move the whole run."""
        return sensitivity_of(self.strategy, self.taking)

    @property
    def part(self) -> Part:
        """What the accountant needs to know."""
        return Part(1.0, self.deviation / self.sensitivity, 1)

    def epsilon(self) -> float:
        """Return an upper bound on epsilon at `delta` for zeroing out one example."""
        return bound([self.part], self.delta).epsilon

    def record(self, *, seeded: bool) -> dict[str, Any]:
        """Return what the lineage keeps of it."""
        told = {"mechanism": MECHANISM, "unit": UNIT, "relation": RELATION, "seeded": seeded}
        return told | asdict(self) | {"decays": [*self.decays], "weights": [*self.weights]}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Self:
        """Return the plan that `record` wrote.

        Raises:
            KeyError: Something is lacking.
            TypeError: It is no number.
            ValueError: It is another mechanism, or a number that a plan cannot have.
        """
        told = (record["mechanism"], record["unit"], record["relation"])
        if told != (MECHANISM, UNIT, RELATION):
            raise ValueError(f"Not a stream of examples: {told}.")
        found = {f.name: record[f.name] for f in fields(cls)}
        found |= {name: _numbers(found[name]) for name in ("decays", "weights")}
        return cls(**found)


@lru_cache(maxsize=64)
def sensitivity_of(strategy: Buffered, taking: Participation) -> float:
    """Return how far one example can move a run that is noised with this strategy.

    Raises:
        ValueError: It is not known.
    """
    return sensitivity(strategy.strategy(taking.n), taking)


def _numbers(told: Sequence[Any]) -> tuple[float, ...]:
    return tuple(float(v) for v in told)
