"""What the history of a model guarantees to each person in its training data."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import ClassVar

from torch import Generator

from fivefold.core.data import Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.limits import Count, Probability
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
        per_person: Most training examples that one person has, in every data set that was read. The bound
            then holds for all of them at once. It cannot be checked here.
        runs: How often private training was run on this data, counting the models that were thrown away:
            whoever chose among them has learned from all, so each is paid for, as if it had the settings of
            this one. Runs with less noise or more steps cost more than that.
    """

    axis: ClassVar[Axis] = Axis.PRIVACY
    delta: Probability | None = None
    per_person: Count = 1
    runs: Count = 1

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Add up the lineage.

        Raises:
            NotMeasurable: `delta` is too large for so few examples.
        """
        n = max(splits.seen.train.size, 1)
        readers = [r for r in model.lineage if r.claim.reads_data]
        plans = [p for r in readers if (p := plan_of(r.claim.privacy))]
        delta = self._delta(plans, n)
        found, note = self._found(model, readers, plans, delta)
        return [self._evidence(found, delta, n, note)]

    def _delta(self, plans: Sequence[Plan], n: int) -> float:
        if self.delta is None:
            declared = min([p.delta for p in plans], default=1.0)
            return declared if declared * n < 1 else safe_delta(n)
        if self.delta * n >= 1:
            raise NotMeasurable(
                "delta = {delta} would allow one of {n} examples to be published in full.",
                mend="Use at most {most}, or leave it out.",
                delta=self.delta,
                n=n,
                most=safe_delta(n),
            )
        return self.delta

    def _found(
        self, model: Model, readers: Sequence[Record], plans: Sequence[Plan], delta: float
    ) -> tuple[Bound, Text]:
        if not model.lineage:
            note = text("Nothing is known of how this model was made, so nothing is guaranteed.")
            return Bound(inf, "exact"), note
        if broken := next((why for r in readers if (why := _why_not(r))), None):
            return Bound(inf, "exact"), broken
        if not plans:
            return Bound(0.0, "exact"), text("No step has read training data.")
        parts = [p.part._replace(steps=p.part.steps * self.runs) for p in plans]
        scope = _scope(plans, len({r.data for r in readers}), self.per_person, self.runs)
        return bound(parts, delta, group=self.per_person), scope

    def _evidence(self, found: Bound, delta: float, n: int, note: Text) -> Evidence:
        setting = f"delta {delta:.2g}"
        if self.per_person > 1:
            setting += f", {self.per_person} examples per person"
        if self.runs > 1:
            setting += f", {self.runs} runs"
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
            setting=setting,
            interval=found.method,
            note=note,
        )


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


def _scope(plans: Sequence[Plan], n_data: int, per_person: int, runs: int) -> Text:
    told = "; ".join(
        f"q = {p.rate:.4g}, σ = {p.noise_multiplier:.4g}, C = {p.clip_norm:.4g}, T = {p.steps}"
        for p in plans
    )
    data = (
        "It was all the same data."
        if n_data == 1
        else "The data differed between steps; the same people may be in each, so all losses are added up."
    )
    if runs > 1:
        return text(
            "Holds for up to {people} examples added or removed, by Poisson sampling at rate q, clipping at C and noise σC in T steps ({told}), after {runs} such runs from which one was chosen. {data} Not covered: other models made from it, the size of the training set, and numbers that probes publish about its rows.",
            people=per_person, told=told, runs=runs, data=data,
        )  # fmt: skip
    if per_person > 1:
        return text(
            "Holds for up to {people} examples of one person added or removed, by Poisson sampling at rate q, clipping at C and noise σC in T steps ({told}). {data} Not covered: choosing hyperparameters by looking at this data, other models made from it, the size of the training set, and numbers that probes publish about its rows.",
            people=per_person, told=told, data=data,
        )  # fmt: skip
    return text(
        "Holds for one example added or removed, by Poisson sampling at rate q, clipping at C and noise σC in T steps ({told}). {data} Not covered: choosing hyperparameters by looking at this data, other models made from it, the size of the training set, and numbers that probes publish about its rows.",
        told=told, data=data,
    )  # fmt: skip
