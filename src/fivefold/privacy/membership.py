"""Membership inference (Shokri et al., 2017): can an attacker tell who was in the training data?"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge
from torch import Generator

from fivefold.core.data import Batch, Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Finding
from fivefold.core.limits import Count
from fivefold.core.model import Model, with_architecture
from fivefold.core.probe import Probe
from fivefold.core.randomness import spawn
from fivefold.core.step import Step
from fivefold.core.text import Text
from fivefold.privacy.attacks.bavaria import BaVarIA
from fivefold.privacy.attacks.evidence import Attempt, evidence_of, not_made
from fivefold.privacy.attacks.lira import LiRA
from fivefold.privacy.attacks.loss_threshold import LossThreshold
from fivefold.privacy.attacks.pool import check_alike, finite, finite_shadows, joined, some
from fivefold.privacy.attacks.rmia import RMIA
from fivefold.privacy.attacks.signal import confidence
from fivefold.privacy.attacks.view import Attack, ShadowView, View
from fivefold.privacy.shadow import Shadows, halves
from fivefold.training.optimizer import AdamW, Optimizer

HEADS_ALONE = "Shadow models trained a head on the attacked model's own features, which makes them weaker if those were learned from these rows. "


@dataclass(frozen=True, kw_only=True)
class MembershipInference(Probe):
    """Success of attacks that tell training rows from test rows.

    The loss threshold calls a row a member if the model is sure of it. LiRA, RMIA and BaVarIA also ask
    how sure models of the same kind are that were, and were not, trained on that row. An attack that
    fails proves nothing: a better one may succeed, and only epsilon bounds them all. Training and test
    rows must come from one source; if their columns differ beyond chance, nothing is measured.

    Attributes:
        attacks: The attacks. Those with shadow models share them.
        n_shadow: Shadow models, an even number.
        shadow_epochs: Passes of each over its half of the rows.
        shadow_size: Examples per batch of a shadow.
        shadow_optimizer: How a shadow's weights move.
        shadow: Step that trains each shadow instead, as the attacked model was trained; slower.
        keeps_trunk: Whether shadows train a head alone, on the attacked model's last features. Fast, and
            right where the trunk never learned from these rows; where it did, the attack is weaker.
        n_examples: Most training rows, and most test rows, to use. Shadows learn from these alone, so a
            model trained on many more is attacked less well than it could be.
    """

    axis: ClassVar[Axis] = Axis.PRIVACY
    attacks: tuple[Attack, ...] = (LossThreshold(), LiRA(), RMIA(), BaVarIA())
    n_shadow: Annotated[int, Ge(4)] = 8
    shadow_epochs: Count = 20
    shadow_size: Count = 64
    shadow_optimizer: Optimizer = AdamW()
    shadow: Step | None = None
    keeps_trunk: bool = False
    n_examples: Count = 2000

    def __post_init__(self) -> None:
        if self.n_shadow % 2:
            raise ValueError("n_shadow is even: each row is in one half of the shadow models.")
        if len({a.name for a in self.attacks}) < max(len(self.attacks), 1):
            raise ValueError("attacks are one or more, and no two have the same name.")
        if self.shadow is not None and self.keeps_trunk:
            raise ValueError("shadow trains whole networks, so it cannot be used with keeps_trunk.")

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Attack the model."""
        members = some(splits.seen.train, self.n_examples, rng)
        others = some(splits.test, self.n_examples, rng)
        check_alike(members, others, model)
        pool = joined(members, others)
        sure = finite(confidence(model.predict(pool.x), pool.y, model.task))
        view, how, why_not = View(model, pool, members.size, sure), "", Text("")
        if any(a.needs_shadows for a in self.attacks):
            try:
                shadows, how = self._shadows(model, pool, spawn(rng))
                view = view._replace(shadows=shadows)
            except NotMeasurable as error:
                why_not = error.what
        return self._findings(view, how, why_not, rng)

    def _findings(self, view: View, how: str, why_not: Text, rng: Generator) -> list[Finding]:
        made: list[Attempt] = []
        missing: list[Finding] = []
        for attack in self.attacks:
            setting = attack.name + self._of_shadows * attack.needs_shadows
            if attack.needs_shadows and view.shadows is None:
                missing.append(not_made(setting, why_not))
                continue
            try:
                scores = attack.scores(view, spawn(rng))
            except NotMeasurable as error:
                missing.append(not_made(setting, error.what))
            else:
                made.append(Attempt(setting, scores, how * attack.needs_shadows))
        return evidence_of(made) + missing

    @property
    def _of_shadows(self) -> str:
        heads = ", heads alone" * self.keeps_trunk
        return f", {self.n_shadow} shadows{heads}"

    def _shadows(self, model: Model, pool: Batch, rng: Generator) -> tuple[ShadowView, str]:
        shadows = Shadows(
            epochs=self.shadow_epochs,
            size=self.shadow_size,
            optimizer=self.shadow_optimizer,
            step=self.shadow,
            keeps_trunk=self.keeps_trunk,
        )
        inside = halves(pool.size, self.n_shadow, rng)
        told = shadows.outputs(with_architecture(model, self), pool, inside, rng)
        sure = finite_shadows(confidence(told.output, pool.y, model.task))
        return ShadowView(sure, inside), told.why_apart + HEADS_ALONE * self.keeps_trunk
