"""What the history of a model guarantees to each person in its training data."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Generator

from fivefold.core.data import Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.limits import Count, Probability
from fivefold.core.lineage import Lineage
from fivefold.core.model import Model
from fivefold.core.probe import Probe
from fivefold.privacy.accounting import Bound
from fivefold.privacy.ledger import Ledger, without
from fivefold.privacy.plan import safe_delta
from fivefold.privacy.scope import scope
from fivefold.privacy.spent import Spent, spent_by


@dataclass(frozen=True, kw_only=True)
class Epsilon(Probe):
    """Upper bound on the privacy loss of adding or removing one training example, or all rows of one owner.

    Steps that hide all rows of a client or user bound just that; together with steps that hide single
    examples, single examples are all that is hidden. It reads the lineage and nothing else, and adds up every step that ever read training data: one plain
    step anywhere makes it infinite. Data of different content may hold the same people, so their losses
    are added up as well.

    Attributes:
        delta: Probability with which the bound may fail. None is the smallest that a private step
            declared, or the largest power of ten that is at most a tenth of 1 / examples.
        per_person: Most training examples that one person has, in every data set that was read. The bound
            then holds for all of them at once. It cannot be checked here. Steps that hide all rows of a client
            or user need 1.
        runs: How often private training was run on this data, counting the models that were thrown away:
            whoever chose among them has learned from all, so each is paid for, as if it had the settings of
            this one. Runs with less noise or more steps cost more than that.
        ledger: Where private runs on this data were counted, instead of `runs`. Each is paid for as it was.
    """

    axis: ClassVar[Axis] = Axis.PRIVACY
    delta: Probability | None = None
    per_person: Count = 1
    runs: Count = 1
    ledger: Ledger | None = None

    def __post_init__(self) -> None:
        if self.ledger is not None and self.runs > 1:
            raise ValueError("Epsilon takes runs or a ledger that counts them, not both.")

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Add up the lineage.

        Raises:
            NotMeasurable: `delta` is too large for so few examples, `per_person` does not fit the steps, or
                the ledger lacks one of them.
        """
        n = max(splits.seen.train.size, 1)
        listed = self.ledger.records() if self.ledger else ()
        if self.ledger:
            _check_listed(model.lineage, listed, self.ledger.file)
        besides = without(listed, model.lineage)
        spent = spent_by(model.lineage, self.runs, besides=besides)
        if self.per_person > 1 and spent.is_grouped:
            raise NotMeasurable(
                "Some steps hide all rows of one client or user, and the {people} examples of a person may lie with several.",
                mend="Leave out per_person, and let a column say whose each row is.",
                people=self.per_person,
            )
        delta = self._delta(spent, n)
        found = spent.bound(delta, self.per_person)
        return [self._evidence(found, spent, self._setting(spent, delta, len(listed)), n)]

    def files(self) -> str:
        """Return a hash of the ledger, which grows while the model stays as it is."""
        return "" if self.ledger is None else self.ledger.fingerprint()

    def _delta(self, spent: Spent, n: int) -> float:
        if self.delta is None:
            declared = min([p.delta for p in spent.all], default=1.0)
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

    def _evidence(self, found: Bound, spent: Spent, setting: str, n: int) -> Evidence:
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
            note=spent.why_not or scope(spent, self.per_person, is_ledger=self.ledger is not None),
        )

    def _setting(self, spent: Spent, delta: float, n_listed: int) -> str:
        said = [f"delta {delta:.2g}"]
        if spent.unit != "example":
            said.append(f"per {spent.unit}")
        if self.per_person > 1:
            said.append(f"{self.per_person} examples per person")
        if self.runs > 1:
            said.append(f"{self.runs} runs")
        if self.ledger:
            said.append(f"{n_listed} runs in the ledger")
        return ", ".join(said)


def _check_listed(lineage: Lineage, listed: Lineage, file: str) -> None:
    """Check that the ledger counts the private steps of the model itself, so that it is the right one.

    Raises:
        NotMeasurable: It does not.
    """
    private = tuple(r for r in lineage if r.claim.reads_data and r.claim.privacy)
    if absent := without(private, listed):
        raise NotMeasurable(
            "The step {step} is not in the ledger {file}, so other runs may be lacking as well.",
            mend="Name the same ledger in every private step (ledger = ...).",
            step=absent[0].name,
            file=file,
        )
