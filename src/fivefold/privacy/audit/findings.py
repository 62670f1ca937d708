"""What an audit found, as evidence: the bound that was proved, and by how much it breaks the promise."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import NamedTuple

from fivefold.core.chart import Cell, Chart
from fivefold.core.evidence import Axis, Evidence, Missing
from fivefold.core.text import Text, text
from fivefold.privacy.audit.one_run import Proved
from fivefold.privacy.audit.plant import Kind
from fivefold.privacy.plan import Plan

BOUND, EXCESS = "audited_epsilon", "epsilon_excess"
KINDS: Mapping[Kind, str] = {"weights": "canaries in weights", "rows": "canaries in rows"}
METHOD = "one-run audit"


class Shown(NamedTuple):
    """What one kind of canaries has shown.

    Attributes:
        kind: Which.
        canaries: How many.
        proved: The bound.
        largest: The bound that so many canaries prove at most.
    """

    kind: Kind
    canaries: int
    proved: Proved
    largest: float


class Audited(NamedTuple):
    """The audit of one private step.

    Attributes:
        name: The step.
        plan: What is claimed of the run that was audited.
        of: Steps of the private step itself; the audited run may have fewer.
        rows: Real rows in it.
        shown: What each kind of canaries has shown.
        left_out: What could not be planted, and why.
    """

    name: str
    plan: Plan
    of: int
    rows: int
    shown: Sequence[Shown]
    left_out: str = ""

    @property
    def claimed(self) -> float:
        """Epsilon that is claimed for the run that was audited."""
        return self.plan.epsilon()

    @property
    def best(self) -> Shown:
        """What has shown most."""
        return max(self.shown, key=lambda s: (s.proved.epsilon, s.largest))

    def evidence(self) -> list[Evidence]:
        """Return the bound, and the part of it that breaks the claim."""
        bound = self.best.proved.epsilon
        return [
            self._evidence(BOUND, bound, inf, self._note(), self._chart()),
            self._evidence(EXCESS, max(0.0, bound - self.claimed), None, self._verdict(), None),
        ]

    def _evidence(
        self, name: str, value: float, high: float | None, note: Text, chart: Chart | None
    ) -> Evidence:
        return Evidence(
            axis=Axis.PRIVACY,
            name=name,
            value=value,
            low=value,
            high=value if high is None else high,
            n=sum(s.canaries for s in self.shown),
            unit="epsilon",
            better="lower",
            ceiling=0.0,
            setting=f"{self.name}, delta {self.plan.delta:.2g}",
            interval=METHOD,
            note=note,
            chart=chart,
        )

    def _note(self) -> Text:
        best = self.best
        return text(
            "A lower bound, from {right} right of {guesses} guesses about {n} canaries in {steps} of {of} steps; so many canaries prove at most {most}, and 0 proves nothing. Claimed for these steps: {claimed}. It is the training procedure that was tested, in a run of its own with {rows} training rows and noise from a seed, which was thrown away: the weights of this model and their guarantee are untouched. As with every probe, what it read of rows is not covered by epsilon. {left_out}",
            right=best.proved.right,
            guesses=best.proved.guesses,
            n=best.canaries,
            steps=self.plan.steps,
            of=self.of,
            most=best.largest,
            claimed=self.claimed,
            rows=self.rows,
            left_out=self.left_out,
        )

    def _verdict(self) -> Text:
        if self.best.proved.epsilon > self.claimed:
            return text(
                "The claim is false: epsilon {claimed} was claimed for {steps} steps, and at least {bound} was proved with 95 % confidence. Something in clipping, sampling or noise does not do what was paid for; do not release this model.",
                claimed=self.claimed,
                steps=self.plan.steps,
                bound=self.best.proved.epsilon,
            )
        return text(
            "Nothing was proved against the claim of epsilon {claimed} for {steps} steps. That does not prove it.",
            claimed=self.claimed,
            steps=self.plan.steps,
        )

    def _chart(self) -> Chart:
        rows: list[Mapping[str, Cell]] = []
        for one in self.shown:
            told = {"proved": one.proved.epsilon, "most that could be proved": one.largest}
            told["claimed"] = self.claimed
            rows += [
                {"canaries": KINDS[one.kind], "epsilon": v, "bound": k} for k, v in told.items()
            ]
        title = text("What canaries prove of epsilon, beside what is claimed")
        return Chart(
            title=title, kind="bar", x="canaries", y="epsilon", series="bound", rows=tuple(rows)
        )


def missing(reason: Text, name: str = "") -> Missing:
    """Return that there was no audit."""
    return Missing(axis=Axis.PRIVACY, name=BOUND, reason=reason, setting=name)
