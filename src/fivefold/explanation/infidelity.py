"""Whether attributions tell how far an answer falls (Yeh, Hsieh, Suggala, Inouye and Ravikumar, 2019)."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Generator

from fivefold.core.data import Splits
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.limits import Count
from fivefold.core.model import Model
from fivefold.core.probe import Probe
from fivefold.core.randomness import spawn
from fivefold.core.text import text
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.sample import QUICK, Explained, explained, sample
from fivefold.explanation.trust.chance import misplaced
from fivefold.explanation.trust.fall import claimed, falls
from fivefold.explanation.trust.misfit import Misfit, misfit
from fivefold.explanation.trust.ratio import ratio_interval
from fivefold.explanation.trust.sets import sets_of_any_size


@dataclass(frozen=True, kw_only=True)
class Infidelity(Probe):
    """Squared error of summed attributions as the fall of the answer, over that of attributions of zero.

    0 if every fall is told exactly, as for a linear model; 1 if the attributions are worth nothing.
    Features are hidden behind background rows, in sets of every size.

    Attributes:
        explainer: What makes the attributions.
        n_rows: Test rows to explain.
        n_background: Training rows that hidden features are taken from.
        n_sets: Sets of features to hide, for each row.
        is_scaled: Whether to stretch each row's values by the factor that suits them best, for
            explainers whose values have no unit.
    """

    axis: ClassVar[Axis] = Axis.EXPLANATION
    explainer: Explainer = QUICK
    n_rows: Count = 40
    n_background: Count = 16
    n_sets: Count = 100
    is_scaled: bool = False

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Return the error, beside that of the same values in random places.

        Raises:
            NotMeasurable: The answers do not depend on any feature.
        """
        rows = sample(splits, self.n_rows, self.n_background, spawn(rng))
        found = explained(self.explainer, model, rows, spawn(rng))
        n_rows, n = found.values.shape
        hidden = sets_of_any_size(n_rows, self.n_sets, n, spawn(rng))
        fall = falls(model, found, rows, hidden)
        own, by_chance = (
            misfit(claimed(values, hidden), fall, is_scaled=self.is_scaled)
            for values in (found.values, misplaced(found.values, spawn(rng)))
        )
        return [self._evidence(found, own, by_chance, spawn(rng))]

    def _evidence(
        self, found: Explained, own: Misfit, by_chance: Misfit, rng: Generator
    ) -> Evidence:
        value, low, high = ratio_interval(own.error, own.nothing, rng, (0.0, float("inf")))
        scaled = ", scaled" if self.is_scaled else ""
        return Evidence(
            axis=self.axis,
            name="infidelity",
            value=value,
            low=low,
            high=high,
            n=len(own.error),
            unit="fraction",
            better="lower",
            floor=float(by_chance.error.sum() / by_chance.nothing.sum()),
            ceiling=0.0,
            setting=f"{found.attribution.method}{scaled}",
            interval="bootstrap over rows",
            note=text(
                "Attributions of zero would reach 1. By chance is meant: the same values shuffled among the "
                "features; {unsure} of {all} attributions have not converged.",
                unsure=found.n_unsure,
                all=len(own.error),
            ),
        )
