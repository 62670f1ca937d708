"""What the history of a model guarantees to each person in its training data."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import ClassVar

from torch import Generator

from fivefold.core.data import Splits
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.limits import Probability
from fivefold.core.lineage import Record
from fivefold.core.model import Model
from fivefold.core.probe import Probe
from fivefold.core.text import Text, text
from fivefold.privacy.accounting import Bound, bound
from fivefold.privacy.plan import Plan, plan_of, safe_delta


@dataclass(frozen=True, kw_only=True)
class Epsilon(Probe):
    """Upper bound on the privacy loss of adding or removing one training example.

    It reads the lineage and nothing else, and adds up every step that ever read training data: one plain
    step anywhere makes it infinite. Data of different content may hold the same people, so their losses
    are added up as well.

    Attributes:
        delta: Probability with which the bound may fail. None is the smallest that a private step
            declared, or the largest power of ten that is at most a tenth of 1 / examples.
    """

    axis: ClassVar[Axis] = Axis.PRIVACY
    delta: Probability | None = None

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Add up the lineage."""
        n = max(splits.seen.train.size, 1)
        readers = [r for r in model.lineage if r.claim.reads_data]
        plans = [p for r in readers if (p := plan_of(r.claim.privacy))]
        delta = self.delta or min([p.delta for p in plans], default=safe_delta(n))
        if not model.lineage:
            note = text("Nothing is known of how this model was made, so nothing is guaranteed.")
            return [_evidence(Bound(inf, "exact"), delta, n, note)]
        if broken := next((why for r in readers if (why := _why_not(r))), None):
            return [_evidence(Bound(inf, "exact"), delta, n, broken)]
        if not plans:
            note = text("No step has read training data.")
            return [_evidence(Bound(0.0, "exact"), delta, n, note)]
        note = _scope(plans, len({r.data for r in readers}))
        return [_evidence(bound([p.part for p in plans], delta), delta, n, note)]


def _why_not(record: Record) -> Text | None:
    """Return why this record voids every guarantee, or None if it does not."""
    if not record.claim.privacy:
        if record.name == "start":
            return text(
                "The preparation of inputs was fitted to the training data; declare ranges, centres and scales in the schema instead."
            )
        return text("The step {step} read the training data plainly.", step=record.name)
    if plan_of(record.claim.privacy) is None:
        return text("The step {step} claims a mechanism that is not known here.", step=record.name)
    if record.claim.privacy.get("seeded") is not False:
        return text(
            "The noise of the step {step} comes from a seed that is written in the recipe, so it can be removed.",
            step=record.name,
        )
    return None


def _scope(plans: Sequence[Plan], n_data: int) -> Text:
    told = "; ".join(
        f"q = {p.rate:.4g}, σ = {p.noise_multiplier:.4g}, C = {p.clip_norm:.4g}, T = {p.steps}"
        for p in plans
    )
    return text(
        "Holds for one example added or removed, by Poisson sampling at rate q, clipping at C and noise σC in T steps ({told}). {data} Not covered: choosing hyperparameters by looking at this data, other models made from it, the size of the training set, and numbers that probes publish about its rows.",
        told=told,
        data="It was all the same data."
        if n_data == 1
        else "The data differed between steps; the same people may be in each, so all losses are added up.",
    )


def _evidence(found: Bound, delta: float, n: int, note: Text) -> Evidence:
    return Evidence(
        axis=Axis.PRIVACY,
        name="epsilon",
        value=found.epsilon,
        low=found.epsilon if found.method == "exact" else 0.0,
        high=found.epsilon,
        n=n,
        unit="epsilon",
        better="lower",
        ceiling=0.0,
        setting=f"delta {delta:.2g}",
        interval=found.method,
        note=note,
    )
