"""Explanation leakage (Shokri, Strobel and Zick, 2021): do explanations help to tell who was in the training data?"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import torch
from annotated_types import Ge
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from fivefold.core import progress
from fivefold.core.data import Batch, Inputs, Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Finding
from fivefold.core.limits import Count
from fivefold.core.model import HasArchitecture, Model, with_architecture
from fivefold.core.probe import Probe
from fivefold.core.randomness import spawn
from fivefold.core.step import Step
from fivefold.privacy.attacks.pool import (
    LEAST_ROWS,
    check_alike,
    finite,
    finite_shadows,
    joined,
    some,
)
from fivefold.privacy.leakage.arms import compared
from fivefold.privacy.leakage.evidence import Leak, evidence_of, not_made
from fivefold.privacy.leakage.explainer import Explainer, InputGradient
from fivefold.privacy.leakage.features import of_answer, of_explanation
from fivefold.privacy.leakage.release import Release, explained, released
from fivefold.privacy.shadow import Shadows, halves
from fivefold.training.optimizer import AdamW, Optimizer


class Stage(NamedTuple):
    """The attacked model before its shadows, the rows, who learned which, and what each answers to each.

    Rows come in random order, so that an explainer which treats rows by their place tells nobody apart.
    """

    models: list[Model]
    pool: Batch
    background: Inputs
    inside: Bool[Tensor, "model row"]
    answer: Float[Tensor, "kind model row"]


@dataclass(frozen=True, kw_only=True)
class ExplanationLeakage(Probe):
    """How much surer an attacker tells training rows from test rows who sees explanations too.

    Two attacks are learned from shadow models, whose rows are known, and judged on this model: one reads
    how sure an answer is of the truth and of what it predicts, the other reads the explanation of that
    prediction as well (sum of absolute values, variance, entropy and largest value). Each number counts as it is, and against models
    that never saw the row. An attack that gains nothing proves nothing: another may read more from the same
    explanations, and only epsilon bounds them all.

    Attributes:
        explainers: Who explains; any explainer of `fivefold.explanation`. They share the shadow models.
        releases: What of an explanation the attacker sees: all values, the three largest, or one digit of
            each. The attacker knows which.
        n_shadow: Shadow models, an even number.
        shadow_epochs: Passes of each over its half of the rows.
        shadow_size: Examples per batch of a shadow.
        shadow_optimizer: How a shadow's weights move.
        shadow: Step that trains each shadow instead, as the attacked model was trained; slower.
        n_examples: Most training rows, and most test rows, to use; each is explained for every model.
            Shadows learn from these alone, so a model trained on many more is attacked less well than it
            could be.
        n_background: Test rows that stand for "not known" in explanations, the same for every model, and
            are not judged.
    """

    axis: ClassVar[Axis] = Axis.PRIVACY
    explainers: tuple[Explainer, ...] = (InputGradient(),)
    releases: tuple[Release, ...] = ("full", "top 3", "rounded")
    n_shadow: Annotated[int, Ge(4)] = 8
    shadow_epochs: Count = 20
    shadow_size: Count = 64
    shadow_optimizer: Optimizer = AdamW()
    shadow: Step | None = None
    n_examples: Count = 200
    n_background: Count = 16

    def __post_init__(self) -> None:
        if self.n_shadow % 2:
            raise ValueError("n_shadow is even: each row is in one half of the shadow models.")
        if len({type(e).__name__ for e in self.explainers}) < max(len(self.explainers), 1):
            raise ValueError("explainers are one or more, and no two are of the same kind.")
        if len(set(self.releases)) < max(len(self.releases), 1):
            raise ValueError("releases are one or more, and all different.")

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Attack the model without and with its explanations.

        Raises:
            NotMeasurable: Nobody can build another like it, rows are too few or of different sources, or
                answers are not finite.
        """
        stage, how = self._stage(with_architecture(model, self), splits, rng)
        found: list[Finding] = []
        for explainer in self.explainers:
            name, shadows = type(explainer).__name__, f"{self.n_shadow} shadows"
            try:
                leaks = self._leaks(stage, explainer, spawn(rng))
            except NotMeasurable as error:
                found.append(not_made(name, shadows, error.what))
            else:
                found += evidence_of(leaks, name, shadows, how)
        return found

    def _stage(self, model: HasArchitecture, splits: Splits, rng: Generator) -> tuple[Stage, str]:
        pool, is_member, background = self._rows(model, splits, rng)
        own = finite(of_answer(model.predict(pool.x), pool.y, model.task))
        inside = halves(pool.size, self.n_shadow, rng)
        shadows, how = self._shadows.models(model, pool, inside, spawn(rng))
        told = [of_answer(one.predict(pool.x), pool.y, model.task) for one in shadows]
        answer = torch.stack([own, *finite_shadows(torch.stack(told))], 1)
        inside = torch.cat([is_member[None], inside])
        return Stage([model, *shadows], pool, background, inside, answer), how

    def _rows(
        self, model: Model, splits: Splits, rng: Generator
    ) -> tuple[Batch, Bool[Tensor, " row"], Inputs]:
        """Return the rows to judge, which of them are members, and the background."""
        if splits.test.size < self.n_background + LEAST_ROWS:
            raise NotMeasurable(
                "{used} test rows stand for what is not known, and at least {least} more are judged; there are {n}.",
                mend="Lower n_background, or give it more test rows.",
                used=self.n_background,
                least=LEAST_ROWS,
                n=splits.test.size,
            )
        order = torch.randperm(splits.test.size, generator=rng)
        background = splits.test.take(order[: self.n_background])
        members = some(splits.seen.train, self.n_examples, rng)
        others = splits.test.take(order[self.n_background :][: self.n_examples])
        check_alike(members, others, model)
        pool = joined(members, others)
        order = torch.randperm(pool.size, generator=rng)
        return pool.take(order), order < members.size, background.x

    @property
    def _shadows(self) -> Shadows:
        return Shadows(
            epochs=self.shadow_epochs,
            size=self.shadow_size,
            optimizer=self.shadow_optimizer,
            step=self.shadow,
        )

    def _leaks(self, stage: Stage, explainer: Explainer, rng: Generator) -> list[Leak]:
        """Explain every row by every model once, and attack each release."""
        features: dict[Release, list[Tensor]] = {release: [] for release in self.releases}
        for one in progress.track(stage.models, "models explained"):
            values = explained(explainer, one, stage.pool, stage.background, spawn(rng))
            for release, told in features.items():
                told.append(of_explanation(released(values, release)))
        return [
            Leak(
                release,
                compared(stage.answer, torch.stack(told, 1), stage.inside, spawn(rng)),
            )
            for release, told in features.items()
        ]
