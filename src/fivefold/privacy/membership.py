"""Membership inference: can an attacker tell who was in the training data?"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log10
from typing import Annotated, ClassVar, NamedTuple

import torch
from annotated_types import Ge
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.chart import Cell, Chart
from fivefold.core.data import Batch, Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Evidence, Finding, Missing
from fivefold.core.limits import Count
from fivefold.core.model import Model, with_architecture
from fivefold.core.probe import Probe
from fivefold.core.step import Step
from fivefold.core.text import Text, text
from fivefold.privacy.lira import confidence, likelihood_ratio
from fivefold.privacy.roc import Bounded, auc, curve, tpr_at
from fivefold.privacy.shadow import Shadows, halves
from fivefold.training.optimizer import AdamW, Optimizer

LOSS = "loss threshold"
LEAST_ROWS = 10
FPR = 0.01
AUC, TPR = "attack_auc", "tpr_at_1_percent_fpr"
FALSE_AXIS, TRUE_AXIS = "log10 of false positive rate", "log10 of true positive rate"


@dataclass(frozen=True, kw_only=True)
class MembershipInference(Probe):
    """Success of two attacks that tell training rows from test rows.

    The loss threshold calls a row a member if the model is sure of it. LiRA also asks how sure models of
    the same kind are that were, and were not, trained on that row. An attack that fails proves nothing:
    a better one may succeed, and only epsilon bounds them all.

    Attributes:
        n_shadow: Shadow models of LiRA, an even number.
        shadow_epochs: Passes of each over its half of the rows.
        shadow_size: Examples per batch of a shadow.
        shadow_optimizer: How a shadow's weights move.
        shadow: Step that trains each shadow instead, as the attacked model was trained; slower.
        n_examples: Most training rows, and most test rows, to use.
    """

    axis: ClassVar[Axis] = Axis.PRIVACY
    n_shadow: Annotated[int, Ge(4)] = 8
    shadow_epochs: Count = 20
    shadow_size: Count = 64
    shadow_optimizer: Optimizer = AdamW()
    shadow: Step | None = None
    n_examples: Count = 2000

    def __post_init__(self) -> None:
        if self.n_shadow % 2:
            raise ValueError("n_shadow is even: each row is in one half of the shadow models.")

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Attack the model."""
        members = _some(splits.seen.train, self.n_examples, rng)
        others = _some(splits.test, self.n_examples, rng)
        if min(members.size, others.size) < LEAST_ROWS:
            raise NotMeasurable(
                "Membership inference needs at least {least} training rows and as many test rows.",
                mend="Give it more rows.",
                least=LEAST_ROWS,
            )
        pool = _joined(members, others)
        sure = confidence(model.predict(pool.x), pool.y, model.task)
        if not sure.isfinite().all():
            raise NotMeasurable("The model's answers are not finite.", mend="Train it anew.")
        scores, why_not = {LOSS: sure}, Text("")
        try:
            scores[self._lira] = self._ratio(model, pool, sure, rng)
        except NotMeasurable as error:
            why_not = error.what
        return self._findings(scores, members.size, why_not)

    @property
    def _lira(self) -> str:
        return f"LiRA, {self.n_shadow} shadows"

    def _ratio(
        self, model: Model, pool: Batch, sure: Float[Tensor, " row"], rng: Generator
    ) -> Float[Tensor, " row"]:
        shadows = Shadows(
            epochs=self.shadow_epochs,
            size=self.shadow_size,
            optimizer=self.shadow_optimizer,
            step=self.shadow,
        )
        inside = halves(pool.size, self.n_shadow, rng)
        told = shadows.outputs(with_architecture(model, self), pool, inside, rng)
        return likelihood_ratio(sure, confidence(told, pool.y, model.task), inside)

    def _findings(
        self, scores: Mapping[str, Tensor], n_members: int, why_not: Text
    ) -> list[Finding]:
        attacks = [Attack(name, s[:n_members], s[n_members:]) for name, s in scores.items()]
        chart = _chart(attacks)
        found = [f for a in attacks for f in (_auc(a, None if a.name != LOSS else chart), _tpr(a))]
        if self._lira not in scores:
            found += [
                Missing(axis=self.axis, name=name, reason=why_not, setting=self._lira)
                for name in (AUC, TPR)
            ]
        return found


class Attack(NamedTuple):
    """How likely an attack thinks each row to be a member."""

    name: str
    members: Float[Tensor, " member"]
    others: Float[Tensor, " other"]


def _some(batch: Batch, most: int, rng: Generator) -> Batch:
    return batch.take(torch.randperm(batch.size, generator=rng)[:most].sort().values)


def _joined(a: Batch, b: Batch) -> Batch:
    if isinstance(a.x, Tensor) and isinstance(b.x, Tensor):
        return Batch(torch.cat([a.x, b.x]), torch.cat([a.y, b.y]))
    assert isinstance(a.x, Mapping) and isinstance(b.x, Mapping), (
        "both splits hold one kind of input"
    )
    return Batch({k: torch.cat([a.x[k], b.x[k]]) for k in a.x}, torch.cat([a.y, b.y]))


def _auc(attack: Attack, chart: Chart | None) -> Evidence:
    note = text(
        "{m} training rows against {n} test rows. Any other difference between the two helps the attack too, and a stronger attack may find more; only epsilon bounds every attack.",
        m=len(attack.members),
        n=len(attack.others),
    )
    found = _evidence(attack, AUC, auc(attack.members, attack.others), note)
    return replace(found, floor=0.5, interval="DeLong", chart=chart)


def _tpr(attack: Attack) -> Finding:
    found, n = tpr_at(attack.members, attack.others, FPR), len(attack.others)
    if found is None:
        reason = text(
            "With {n} test rows the smallest false positive rate above zero is {least}; 1 % needs 100 of them.",
            n=n,
            least=1 / n,
        )
        return Missing(axis=Axis.PRIVACY, name=TPR, reason=reason, setting=attack.name)
    note = text(
        "The smallest false positive rate that {n} test rows can show is {least}. The interval covers the threshold too, which was estimated from the same test rows.",
        n=n,
        least=1 / n,
    )
    made = _evidence(attack, TPR, found, note)
    return replace(made, floor=FPR, interval="order statistics and Clopper-Pearson")


def _evidence(attack: Attack, name: str, found: Bounded, note: Text) -> Evidence:
    return Evidence(
        axis=Axis.PRIVACY,
        name=name,
        value=found.value,
        low=found.low,
        high=found.high,
        n=len(attack.members) + len(attack.others),
        unit="fraction",
        better="lower",
        setting=attack.name,
        note=note,
    )


def _chart(attacks: list[Attack]) -> Chart:
    """Return the ROC curves on logarithmic axes, where the few people found for sure can be seen."""
    rows: list[Mapping[str, Cell]] = [
        {FALSE_AXIS: round(log10(f), 4), TRUE_AXIS: round(log10(t), 4), "attack": a.name}
        for a in attacks
        for f, t in curve(a.members, a.others)
        if t > 0
    ]
    title = text("Members found against others accused; the diagonal is guessing")
    return Chart(
        title=title,
        kind="line",
        x=FALSE_AXIS,
        y=TRUE_AXIS,
        rows=tuple(rows),
        series="attack",
        diagonal=True,
    )
