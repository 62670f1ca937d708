"""Whether attributions tell which changes matter more (Bhatt, Weller and Moura, 2020, arXiv 2005.00631)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from fivefold.core.data import Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.interval import mean_interval
from fivefold.core.limits import Count, Probability
from fivefold.core.model import Model
from fivefold.core.probe import Probe
from fivefold.core.randomness import spawn
from fivefold.core.text import text
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.sample import QUICK, Explained, explained, sample
from fivefold.explanation.trust.chance import misplaced
from fivefold.explanation.trust.correlation import pearson
from fivefold.explanation.trust.fall import claimed, falls
from fivefold.explanation.trust.sets import sets_of_size


@dataclass(frozen=True, kw_only=True)
class FaithfulnessCorrelation(Probe):
    """Correlation, over sets of features, of their summed attributions with the fall of the answer without them.

    All sets of a row are of one size: the sum and the fall both grow with the size, and would agree for
    that reason alone.

    Attributes:
        explainer: What makes the attributions.
        n_rows: Test rows to explain.
        n_background: Training rows that hidden features are taken from.
        n_sets: Sets of features to hide, for each row.
        share: Part of the features in each set; at least one, and never all.
    """

    axis: ClassVar[Axis] = Axis.EXPLANATION
    explainer: Explainer = QUICK
    n_rows: Count = 40
    n_background: Count = 16
    n_sets: Count = 100
    share: Probability = 0.25

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Return the mean correlation, beside that of the same values in random places.

        Raises:
            NotMeasurable: The answers do not depend on any feature.
        """
        rows = sample(splits, self.n_rows, self.n_background, spawn(rng))
        found = explained(self.explainer, model, rows, spawn(rng))
        n = found.attribution.groups.n
        size = min(max(1, round(self.share * n)), n - 1)
        hidden = sets_of_size(len(found.values), self.n_sets, n, size, spawn(rng))
        fall = falls(model, found, rows, hidden)
        own = pearson(claimed(found.values, hidden), fall)
        if own.isnan().all():
            raise NotMeasurable("The answers stay the same whichever features are hidden.")
        by_chance = pearson(claimed(misplaced(found.values, spawn(rng)), hidden), fall)
        return [self._evidence(found, own, by_chance, size)]

    def _evidence(self, found: Explained, own: Tensor, by_chance: Tensor, size: int) -> Evidence:
        moves = ~own.isnan()
        value, low, high = mean_interval(own[moves])
        return Evidence(
            axis=self.axis,
            name="faithfulness_correlation",
            value=value,
            low=max(low, -1.0),
            high=min(high, 1.0),
            n=int(moves.sum()),
            unit="correlation",
            better="higher",
            floor=float(torch.nanmean(by_chance)),
            ceiling=1.0,
            setting=f"{found.attribution.method}, sets of {size}",
            interval="Student t over rows",
            note=text(
                "By chance is meant: the same values shuffled among the features. {still} rows are left "
                "out because their answer never moved; {unsure} of {all} attributions have not converged.",
                still=int((~moves).sum()),
                unsure=found.n_unsure,
                all=len(own),
            ),
        )
