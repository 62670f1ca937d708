"""Whether attributions add up to what they explain (Sundararajan, Taly and Yan, 2017; Shapley, 1953)."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Generator, Tensor

from fivefold.core.data import Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.limits import Count
from fivefold.core.model import Model
from fivefold.core.probe import Probe
from fivefold.core.randomness import spawn
from fivefold.core.text import text
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.sample import QUICK, Explained, explained, sample
from fivefold.explanation.trust.chance import of_others
from fivefold.explanation.trust.ratio import ratio_interval

FLAT = 1e-9  # a mean rise below this is rounding


@dataclass(frozen=True, kw_only=True)
class Completeness(Probe):
    """What attributions lack to add up to (score - base), as a share of it.

    The base is the explainer's own: the mean score of the background rows, or the score of their mean.

    Attributes:
        explainer: What makes the attributions.
        n_rows: Test rows to explain.
        n_background: Training rows that stand for "not known".
    """

    axis: ClassVar[Axis] = Axis.EXPLANATION
    explainer: Explainer = QUICK
    n_rows: Count = 40
    n_background: Count = 16

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Return the error, beside that of the attributions of other rows.

        Raises:
            NotMeasurable: The answers are those of the background, so that there is nothing to add up to.
        """
        rows = sample(splits, self.n_rows, self.n_background, spawn(rng))
        found = explained(self.explainer, model, rows, spawn(rng))
        attribution, index = found.attribution, found.target[:, None]
        rise = (attribution.score - attribution.base).gather(1, index)[:, 0]
        if float(rise.abs().mean()) < FLAT:
            raise NotMeasurable(
                "The answers are those of the background, so there is nothing to add up to."
            )
        return [self._evidence(found, rise, spawn(rng))]

    def _evidence(self, found: Explained, rise: Tensor, rng: Generator) -> Evidence:
        total = found.values.sum(1)
        gap, by_chance = (rise - total).abs(), (rise - of_others(total)).abs()
        value, low, high = ratio_interval(gap, rise.abs(), rng, (0.0, float("inf")))
        return Evidence(
            axis=self.axis,
            name="completeness_error",
            value=value,
            low=low,
            high=high,
            n=len(gap),
            unit="fraction",
            better="lower",
            floor=float(by_chance.sum() / rise.abs().sum()) if len(gap) > 1 else None,
            ceiling=0.0,
            setting=found.attribution.method,
            interval="bootstrap over rows",
            note=text(
                "Attributions of zero would reach 1. By chance is meant: each row with the attributions of "
                "another; {unsure} of {all} attributions have not converged.",
                unsure=found.n_unsure,
                all=len(gap),
            ),
        )
