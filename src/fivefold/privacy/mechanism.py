"""What a step's claim costs, whatever its mechanism; one that nobody here can add up costs everything.

To add a mechanism: write a reader of its record and name it in `READERS`. Records are plain tables that
travel with the model, so a reader trusts nothing in them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, Literal, TypeAlias

from fivefold.privacy.accounting import Part, Repeated
from fivefold.privacy.engine import adaptive
from fivefold.privacy.plan import MECHANISM, RELATION, Plan
from fivefold.privacy.stream import plan as stream
from fivefold.privacy.stream.plan import StreamPlan

Unit: TypeAlias = Literal["example", "client", "user"]
Symbol: TypeAlias = float | int | str
UNITS: tuple[Unit, ...] = ("example", "client", "user")
REPEATED = "repeat and select"
BY_COLUMN = "column "


@dataclass(frozen=True, kw_only=True)
class Paid:
    """What one step has spent.

    Attributes:
        mechanism: Its name in the record.
        parts: Gaussian mechanisms that cost at least as much as what was done, for one unit added or removed.
        delta: Probability with which the step lets its bound fail.
        slack: What of that is spent on something else than the noise.
        facts: Its numbers by their usual symbols: q, σ, C, T.
        unit: What is hidden: an example, or all rows of a client or of a user.
        owners: Whose rows belong together ("column NAME", or how clients were drawn); "" for examples.
        repeats: How often it was repeated to keep the best, or None if it was done once.
        is_seeded: Whether its noise can be removed by whoever reads the recipe.
        is_in_place: Whether a unit that is removed leaves its place empty, and no other unit moves up.
    """

    mechanism: str
    parts: tuple[Part, ...]
    delta: float
    facts: Mapping[str, Symbol] = field(default_factory=dict[str, Symbol])
    unit: Unit = "example"
    owners: str = ""
    repeats: Repeated | None = None
    slack: float = 0.0
    is_seeded: bool = False
    is_in_place: bool = False

    @property
    def told(self) -> str:
        """The facts in one line."""
        return ", ".join(f"{k} = {_short(v)}" for k, v in self.facts.items())

    @property
    def is_by_column(self) -> bool:
        """Whether a row alone says whose it is, so that one row more moves no other row to another owner."""
        return self.owners.startswith(BY_COLUMN)


Reader: TypeAlias = Callable[[Mapping[str, Any]], Paid]


def paid_of(record: Mapping[str, Any]) -> Paid | None:
    """Return what a claim's `privacy` costs, or None where that is not known for certain."""
    reader = READERS.get(str(record.get("mechanism")))
    if reader is None:
        return None
    try:
        paid = reader(record)
    except (KeyError, TypeError, ValueError):
        return None
    seeded = record.get("seeded") is not False or paid.is_seeded
    return replace(paid, is_seeded=seeded) if is_sound(paid) else None


def is_sound(paid: Paid) -> bool:
    """Whether every number of it can be added up."""
    return (
        bool(paid.parts)
        and 0 <= paid.slack < paid.delta < 1
        and (paid.unit == "example") == (not paid.owners)
        and all(p.is_sound for p in paid.parts)
    )


def unit_of(record: Mapping[str, Any]) -> tuple[Unit, str]:
    """Return what is hidden, and whose rows belong together.

    Raises:
        ValueError: The record does not say, or means another relation between data sets.
    """
    told = record.get("unit")
    unit: Unit | None = next((u for u in UNITS if u == told), None)
    owners = record.get("owners", "")
    if unit is None or record.get("relation") != RELATION:
        raise ValueError(f"Not a unit or relation that is known: {record}")
    if not isinstance(owners, str):
        raise TypeError(f"Not a name of owners: {owners}")
    return unit, owners


def poisson_gaussian(record: Mapping[str, Any]) -> Paid:
    """Read what `Plan.record` wrote."""
    unit, owners = unit_of(record)
    plan = Plan.of_record(record)
    facts = {"q": plan.rate, "σ": plan.noise_multiplier, "C": plan.clip_norm, "T": plan.steps}
    return Paid(
        mechanism=MECHANISM,
        parts=(plan.part,),
        delta=plan.delta,
        slack=float(record.get("slack", 0.0)),
        facts=facts,
        unit=unit,
        owners=owners,
    )


def gaussian_with_count(record: Mapping[str, Any]) -> Paid:
    """Read what training with an adaptive clip norm wrote: its σ is the gradient's, and σ_b the count's."""
    paid = poisson_gaussian(record)
    (gradient,) = paid.parts
    count: float = record["count_noise"]
    both = adaptive.joint_noise(gradient.noise_multiplier, count)
    moves = f"{paid.facts['C']:.4g} → Q({record['quantile']:.4g})"
    return replace(
        paid,
        mechanism=adaptive.MECHANISM,
        parts=(gradient._replace(noise_multiplier=both),),
        facts={**paid.facts, "σ_b": count, "C": moves},
    )


def streamed_gaussian(record: Mapping[str, Any]) -> Paid:
    """Read what `StreamPlan.record` wrote; its sensitivity is found anew."""
    plan = StreamPlan.of_record(record)
    facts = {"σ": plan.part.noise_multiplier, "C": plan.clip_norm, "T": plan.batches}
    return Paid(
        mechanism=stream.MECHANISM,
        parts=(plan.part,),
        delta=plan.delta,
        facts={**facts, "passes": plan.turns},
        is_in_place=True,
    )


def repeated(record: Mapping[str, Any]) -> Paid:
    """Read what `RepeatAndSelect.claim` wrote: the best of a secret number of runs.

    Raises:
        ValueError: One run of it is not known, or is itself the best of several.
    """
    one = paid_of(record["of"])
    mean, shape = float(record["mean"]), record["shape"]
    repeats = Repeated(mean, inf if shape == "poisson" else float(shape))
    if one is None or one.repeats is not None or not repeats.is_sound:
        raise ValueError(f"The price of one run is not known: {record}")
    facts = {**one.facts, "mean runs": mean, "shape": shape}
    return replace(one, mechanism=REPEATED, facts=facts, repeats=repeats)


READERS: Mapping[str, Reader] = {
    MECHANISM: poisson_gaussian,
    REPEATED: repeated,
    stream.MECHANISM: streamed_gaussian,
    adaptive.MECHANISM: gaussian_with_count,
}


def _short(value: Symbol) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
