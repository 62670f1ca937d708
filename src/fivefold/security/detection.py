"""How many attacks a detector notices, from attackers who do not know it and from attackers who do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.chart import Chart
from fivefold.core.data import Batch, Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Evidence, Finding, Missing
from fivefold.core.interval import clopper_pearson
from fivefold.core.limits import Count, Positive, Probability
from fivefold.core.model import HasNet, Model
from fivefold.core.probe import Probe
from fivefold.core.text import Text, text
from fivefold.security.detector import Detector, Fitted, HasTrunk, Mahalanobis
from fivefold.security.evasion import Attacker, Attempt
from fivefold.security.roc import roc

Kind: TypeAlias = Literal["static", "adaptive"]
FEWEST = 10  # examples that fool the model; fewer say nothing about a rate


@dataclass(frozen=True, kw_only=True)
class Detection(Probe):
    """Share of attacks that a detector notices at a given rate of false alarms.

    Only examples that really fool the model count. The static attack does not know the detector; the
    adaptive one does, and tries to be wrong and inconspicuous at once.

    Attributes:
        detector: The detector to judge; it is fitted to the model.
        eps: Radius of the attacks in the maximum norm, in units of the schema.
        steps: Gradient steps of each attack.
        n_examples: Test examples that are attacked, at most; only those the model gets right.
        fpr: Share of false alarms that the threshold is set for.
    """

    axis: ClassVar[Axis] = Axis.SECURITY
    detector: Detector = Mahalanobis()
    eps: Positive = 0.1
    steps: Count = 20
    n_examples: Count = 200
    fpr: Probability = 0.05

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Fit the detector, count its false alarms, attack, and count what it notices."""
        if not model.task.is_classification:
            raise NotMeasurable(
                "An attack on {target} neither fools nor fails to: it is a number.",
                mend="Use a classification task.",
                target=model.task.target,
            )
        fitted = self.detector.fit(model, splits.seen, fpr=self.fpr)
        clean = fitted.score(model, splits.test.x)
        alarms = self._false_alarms(clean, fitted.threshold)
        if not isinstance(model, HasNet):
            why = text("Attacks need gradients, and this model has none.")
            return [self._missing("adaptive", why), self._missing("static", why), alarms]
        attacks = self._attacks(model, fitted, splits.test, rng)
        picture = roc(clean, {name: a.score[a.fools] for name, a in attacks.items()})
        return [
            self._noticed("adaptive", attacks, fitted.threshold, picture),
            self._noticed("static", attacks, fitted.threshold, None),
            alarms,
        ]

    def _attacks(
        self, model: HasNet, fitted: Fitted, test: Batch, rng: Generator
    ) -> dict[str, Attempt]:
        """Return the attempts of each attacker that can be one; none if the model gets nothing right."""
        right = (model.predict(test.x).argmax(1) == test.y).nonzero()[:, 0]
        rows = right[torch.randperm(len(right), generator=rng)[: self.n_examples]]
        if not len(rows):
            return {}
        attacker, batch = Attacker(eps=self.eps, steps=self.steps), test.take(rows)
        static = attacker.static(model, fitted, batch, rng)
        if not isinstance(model, HasTrunk):
            return {"static": static}
        adaptive = attacker.adaptive(model, fitted, batch, static, rng)
        return {"static": static, "adaptive": adaptive}

    def _false_alarms(self, clean: Float[Tensor, " n"], threshold: float) -> Evidence:
        hits, n = int((clean > threshold).sum()), len(clean)
        low, high = clopper_pearson(hits, n)
        return Evidence(
            axis=self.axis,
            name="false_positive_rate",
            value=hits / n,
            low=low,
            high=high,
            n=n,
            unit="fraction",
            better="lower",
            ceiling=0.0,
            setting=f"nominal {self.fpr:g}",
            interval="Clopper-Pearson",
            note=text(
                "The threshold was set on the validation split for a rate of {fpr}; this is the rate on the test split.",
                fpr=self.fpr,
            ),
        )

    def _noticed(
        self, kind: Kind, attacks: Mapping[str, Attempt], threshold: float, chart: Chart | None
    ) -> Finding:
        if kind not in attacks:
            return self._missing(kind, NO_ATTEMPT[bool(attacks)])
        attempt = attacks[kind]
        scores = attempt.score[attempt.fools]
        hits, n = int((scores > threshold).sum()), len(scores)
        if n < FEWEST:
            return self._missing(kind, _too_few(n, len(attempt.fools)))
        low, high = clopper_pearson(hits, n)
        return Evidence(
            axis=self.axis,
            name=self._name,
            value=hits / n,
            low=low,
            high=high,
            n=n,
            unit="fraction",
            better="higher",
            floor=self.fpr,
            ceiling=1.0,
            setting=self._setting(kind),
            interval="Clopper-Pearson",
            note=NOTES[kind],
            chart=chart,
        )

    def _missing(self, kind: Kind, reason: Text) -> Missing:
        return Missing(axis=self.axis, name=self._name, reason=reason, setting=self._setting(kind))

    @property
    def _name(self) -> str:
        return f"tpr_at_{100 * self.fpr:g}_percent_fpr".replace(".", "_")

    def _setting(self, kind: Kind) -> str:
        return f"{kind}, linf eps {self.eps:g}"


def _too_few(n: int, tried: int) -> Text:
    return text(
        "Only {n} of {tried} attacked examples fool the model; a rate needs at least {least}. Raise eps or n_examples.",
        n=n,
        tried=tried,
        least=FEWEST,
    )


NO_ATTEMPT = {
    False: text("The model gets no test example right, so there is nothing to attack."),
    True: text("The features of this model cannot be reached with gradients."),
}
NOTES: Mapping[Kind, Text] = {
    "static": text(
        "The attacker does not know the detector. This number says nothing about security; only the adaptive one does."
    ),
    "adaptive": text(
        "The attacker knows the detector and keeps the least suspicious example that fools the model. "
        "A stronger attacker may get further."
    ),
}
