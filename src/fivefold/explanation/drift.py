"""Whether a step changed the reasons behind the answers, and not only the answers."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from fivefold.core.chart import Chart
from fivefold.core.data import Splits, as_tensor
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.interval import mean_interval
from fivefold.core.limits import Count
from fivefold.core.model import Model
from fivefold.core.probe import Comparison
from fivefold.core.randomness import fresh_seed, spawn
from fivefold.core.text import Text, text
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.importance import importance_chart
from fivefold.explanation.rank import rank_correlation, top_overlap
from fivefold.explanation.sample import QUICK, Explained, Sample, explained, sample
from fivefold.explanation.trust.unrelated import of_unrelated


@dataclass(frozen=True, kw_only=True)
class AttributionDrift(Comparison):
    """Agreement of two models' attributions on the same rows, for the class that the first predicts.

    Both are explained with the same sets of features, so that identical models agree perfectly. The
    floors are what untrained networks of the same kind reach: more than two random rankings, because
    values that lie far out move any model.

    Attributes:
        explainer: What makes the attributions.
        n_rows: Test rows to explain.
        n_background: Training rows that stand for "not known".
        k: How many of the most important features to compare (at most half of all).
        n_untrained: Untrained networks that the floors are the mean of.
    """

    axis: ClassVar[Axis] = Axis.EXPLANATION
    explainer: Explainer = QUICK
    n_rows: Count = 40
    n_background: Count = 32
    k: Count = 5
    n_untrained: Count = 3

    def __call__(
        self, before: Model, after: Model, splits: Splits, *, rng: Generator
    ) -> list[Finding]:
        """Return the rank correlation of all features and the overlap of the most important.

        Raises:
            NotMeasurable: The two models do not answer the same question about the same inputs.
        """
        _refuse_strangers(before, after)
        rows = sample(splits, self.n_rows, self.n_background, spawn(rng))
        target, seed = before.predict(as_tensor(rows.x)).argmax(-1), fresh_seed(rng)
        one, other = (
            explained(self.explainer, m, rows, Generator().manual_seed(seed), target)
            for m in (before, after)
        )
        note = _note(one, other, rows, after)
        k = max(1, min(self.k, one.attribution.groups.n // 2))
        ranks = rank_correlation(one.values, other.values)
        overlap = top_overlap(one.values, other.values, k)
        strangers = of_unrelated(self.explainer, before, one, rows, self.n_untrained, spawn(rng))
        anyway = (
            float(torch.stack([rank_correlation(one.values, s) for s in strangers]).mean()),
            float(torch.stack([top_overlap(one.values, s, k) for s in strangers]).mean()),
        )
        method, chart = one.attribution.method, _chart(one, other)
        return [
            _agreement("attribution_agreement", ranks, (-1.0, anyway[0]), method, note, chart),
            _agreement(
                "top_feature_overlap", overlap, (0.0, anyway[1]), f"{method}, top {k}", note
            ),
        ]


def _refuse_strangers(before: Model, after: Model) -> None:
    if before.schema.shape != after.schema.shape or before.task != after.task:
        raise NotMeasurable("The two models do not answer the same question about the same inputs.")


def _agreement(
    name: str,
    values: Tensor,
    least: tuple[float, float],
    setting: str,
    note: Text,
    chart: Chart | None = None,
) -> Evidence:
    """Return the mean over rows; `least` holds the smallest possible value and what chance reaches."""
    value, low, high = mean_interval(values)
    return Evidence(
        axis=Axis.EXPLANATION,
        name=name,
        value=value,
        low=max(low, least[0]),
        high=min(high, 1.0),
        n=len(values),
        unit="rank correlation" if least[0] < 0 else "fraction",
        better="higher",
        floor=least[1],
        ceiling=1.0,
        setting=setting,
        interval="Student t over rows",
        note=note,
        chart=chart,
    )


def _note(one: Explained, other: Explained, rows: Sample, after: Model) -> Text:
    unsure, n = one.n_unsure + other.n_unsure, len(one.values)
    if not after.task.is_classification:
        return text(
            "The floor is what untrained networks reach; {unsure} of {all} attributions have not converged.",
            unsure=unsure,
            all=2 * n,
        )
    changed = int((after.predict(as_tensor(rows.x)).argmax(-1) != one.target).sum())
    return text(
        "The two models answer {changed} of {n} rows differently. The floor is what untrained networks reach; "
        "{unsure} of {all} attributions have not converged.",
        changed=changed,
        n=n,
        unsure=unsure,
        all=2 * n,
    )


def _chart(one: Explained, other: Explained) -> Chart:
    title = text("Mean absolute attribution before and after the step")
    both = {"before": one.values, "after": other.values}
    return importance_chart(title, both, one.attribution.groups)
