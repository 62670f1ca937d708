"""One private training run, bound together: what is sampled, clipped, noised and paid for.

The sampler and the noise are made from the plan that the accountant reads, so they cannot disagree.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from math import isfinite
from typing import Any, Self

from torch import Generator

from fivefold.core.data import Batch, Draws, poisson
from fivefold.core.errors import BadInput, BadRecipe
from fivefold.privacy.accounting import Part, bound
from fivefold.privacy.calibration import calibrated
from fivefold.training.private_gradient import ClippedNoisy

MECHANISM = "poisson subsampled gaussian"
UNIT, RELATION = "example", "add or remove one"


def safe_delta(n_examples: int) -> float:
    """Return the largest power of ten that is at most a tenth of 1 / `n_examples`.

    A delta of 1 / n would allow a mechanism that publishes one example in full.
    """
    return float(f"1e-{len(str(10 * max(n_examples, 1) - 1))}")


def checked_delta(delta: float | None, n_examples: int) -> float:
    """Return `delta`, or one that is safe where none was asked for.

    Raises:
        BadInput: There are no training examples.
        BadRecipe: `delta` is too large for so few.
    """
    if n_examples < 1:
        raise BadInput("There are no training examples.", mend="Add rows to the training split.")
    if delta is None:
        return safe_delta(n_examples)
    if delta * n_examples >= 1:
        raise BadRecipe(
            "delta = {delta} would allow one of {n} examples to be published in full.",
            where="delta",
            mend="Use at most {most}, or leave it out.",
            delta=delta,
            n=n_examples,
            most=safe_delta(n_examples),
        )
    return delta


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A Poisson-subsampled Gaussian mechanism, repeated.

    Attributes:
        rate: Probability with which each example enters a batch, independently.
        steps: Number of batches.
        clip_norm: Largest L2 norm of one example's contribution to a batch.
        noise_multiplier: Standard deviation of the noise, in units of `clip_norm`.
        delta: Probability with which the bound on epsilon may fail.
    """

    rate: float
    steps: int
    clip_norm: float
    noise_multiplier: float
    delta: float

    def __post_init__(self) -> None:
        if not all(isfinite(v) and v > 0 for v in vars(self).values()):
            raise ValueError(f"Every number of a plan is positive and finite: {vars(self)}.")
        if self.rate > 1 or self.delta >= 1 or self.steps != int(self.steps):
            raise ValueError(f"A plan needs rate <= 1, delta < 1 and whole steps: {vars(self)}.")

    @property
    def part(self) -> Part:
        """What the accountant needs to know."""
        return Part(self.rate, self.noise_multiplier, int(self.steps))

    def epsilon(self) -> float:
        """Return an upper bound on epsilon at `delta` for adding or removing one example."""
        return bound([self.part], self.delta).epsilon

    def batches(self, data: Batch, rng: Callable[[], Generator]) -> Draws:
        """Return the batches that the accountant counts on.

        Each reading takes a generator from `rng`: after an interruption the remaining steps draw anew,
        which is as private, because no step depends on how another was sampled.
        """
        draws = poisson(data, self.rate, int(self.steps), Generator())
        return Draws(data, lambda _: draws.rows(rng()), len(draws), draws.seed)

    def gradient(self, n_examples: int, noise: Generator) -> ClippedNoisy:
        """Return the gradient rule that adds the noise that was paid for."""
        return ClippedNoisy(
            clip_norm=self.clip_norm,
            noise_multiplier=self.noise_multiplier,
            expected_size=self.rate * n_examples,
            noise=noise,
        )

    def record(self, *, seeded: bool) -> dict[str, Any]:
        """Return what the lineage keeps of it."""
        told = {"mechanism": MECHANISM, "unit": UNIT, "relation": RELATION, "seeded": seeded}
        return told | vars(self)

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Self:
        """Return the plan whose numbers are in `record`.

        Raises:
            KeyError: A number is lacking.
            TypeError: It is none.
            ValueError: It is not one that a plan can have.
        """
        return cls(**{f.name: record[f.name] for f in fields(cls)})


def plan_of(record: Mapping[str, Any]) -> Plan | None:
    """Return the plan that `Plan.record` wrote, or None if it is anything else."""
    told = (record.get("mechanism"), record.get("unit"), record.get("relation"))
    if told != (MECHANISM, UNIT, RELATION):
        return None
    try:
        return Plan.of_record(record)
    except (KeyError, TypeError, ValueError):
        return None


@lru_cache(maxsize=64)
def least_noise(epsilon: float, rate: float, steps: int, delta: float) -> float:
    """Return a noise multiplier whose epsilon is at most `epsilon` and hardly less.

    Raises:
        BadRecipe: No noise is enough.
    """
    return calibrated(lambda noise: [Part(rate, noise, steps)], epsilon, delta)
