"""All that the steps of a model have spent of the privacy of its training rows, added up."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from fivefold.core.lineage import Lineage, Record
from fivefold.core.text import Text, text
from fivefold.privacy.accounting import Bound, Run, composed, composed_replacing
from fivefold.privacy.mechanism import Paid, Unit, paid_of


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a lineage has spent.

    Attributes:
        all: What each step has spent that read training data, in order.
        n_data: How many different data sets they read.
        runs: How often all of that was done, counting models that were thrown away.
        why_not: Why nothing is guaranteed; empty if something is.
    """

    all: tuple[Paid, ...]
    n_data: int
    runs: int = 1
    why_not: Text = Text("")

    @property
    def is_grouped(self) -> bool:
        """Whether a step hides all rows of an owner."""
        return any(p.unit != "example" for p in self.all)

    @property
    def unit(self) -> Unit:
        """What all steps together hide."""
        kinds = {(p.unit, p.owners) for p in self.all}
        return self.all[0].unit if len(kinds) == 1 else "example"

    @property
    def is_mixed(self) -> bool:
        """Whether some steps hide more than all together."""
        return self.is_grouped and self.unit == "example"

    def bound(self, delta: float, group: int = 1) -> Bound:
        """Return an upper bound on epsilon for one `unit` added or removed, or `group` examples."""
        if self.why_not:
            return Bound(inf, "exact")
        if not self.all:
            return Bound(0.0, "exact")
        delta -= self.runs * sum(p.slack for p in self.all)
        if delta <= 0:
            return Bound(inf, "exact")
        if not self.is_mixed:
            return composed(self._done(self.all), delta, group)
        shared = [p for p in self.all if p.unit == "example"]
        grouped = [p for p in self.all if p.unit != "example"]
        return composed_replacing(self._done(shared), self._done(grouped), delta)

    def _done(self, paid: Sequence[Paid]) -> list[Run]:
        return [Run(p.parts, p.repeats, self.runs) for p in paid]


def spent_by(lineage: Lineage, runs: int = 1, besides: Lineage = ()) -> Spent:
    """Return what a model with this history has spent.

    Args:
        lineage: What was done to the model.
        runs: How often all of that was done, counting models that were thrown away.
        besides: What was done to others that were thrown away.
    """
    readers = [r for r in (*lineage, *besides) if r.claim.reads_data]
    paid = tuple(p for r in readers if (p := paid_of(r.claim.privacy)))
    why = _why_nothing(lineage, readers) or _why_not_together(paid, runs)
    n_data = len({r.data for r in readers})
    return Spent(all=paid, n_data=n_data, runs=runs, why_not=why or Text(""))


def _why_nothing(lineage: Lineage, readers: Sequence[Record]) -> Text | None:
    if not lineage:
        return text("Nothing is known of how this model was made, so nothing is guaranteed.")
    return next((why for r in readers if (why := _why_not(r))), None)


def _why_not(record: Record) -> Text | None:
    """Return why this record voids every guarantee, or None if it does not."""
    if not record.claim.privacy:
        if record.name == "start":
            return text(
                "The preparation of inputs was fitted to the training data; declare ranges, centres and scales in the schema instead."
            )
        return text("The step {step} read the training data plainly.", step=record.name)
    paid = paid_of(record.claim.privacy)
    if paid is None:
        return text("The step {step} claims a mechanism that is not known here.", step=record.name)
    if paid.is_seeded:
        return text(
            "The noise of the step {step} comes from a seed that is written in the recipe, so it can be removed.",
            step=record.name,
        )
    return None


def _why_not_together(paid: Sequence[Paid], runs: int) -> Text | None:
    """Return why these guarantee nothing together, or None if they do."""
    if len(paid) * runs > 1 and any(p.unit != "example" and not p.is_by_column for p in paid):
        return text(
            "Clients that were drawn for one step are not those of another, and one row more would draw them anew, so the losses cannot be added up; name the column that says whose each row is."
        )
    units = {(p.unit, p.owners) for p in paid}
    if any(p.slack for p in paid) and (len(units) > 1 or any(p.repeats for p in paid)):
        return text(
            "Rounds of secure aggregation may fail and tell who came, and what that costs is not known where other units or a choice among runs are paid for as well."
        )
    return None
