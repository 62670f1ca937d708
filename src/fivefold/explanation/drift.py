"""Whether a step changed the reasons behind the answers, and not only the answers."""

from dataclasses import dataclass
from typing import ClassVar

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


@dataclass(frozen=True, kw_only=True)
class AttributionDrift(Comparison):
    """Agreement of two models' attributions on the same rows, for the class that the first predicts.

    Both are explained with the same sets of features, so that identical models agree perfectly. The
    floors are those of two random rankings; models that have nothing in common reach more where some
    values lie far out, because such values move any model.

    Attributes:
        explainer: What makes the attributions.
        n_rows: Test rows to explain.
        n_background: Training rows that stand for "not known".
        k: How many of the most important features to compare (at most half of all).
    """

    axis: ClassVar[Axis] = Axis.EXPLANATION
    explainer: Explainer = QUICK
    n_rows: Count = 40
    n_background: Count = 32
    k: Count = 5

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
        n = one.attribution.groups.n
        k = max(1, min(self.k, n // 2))
        ranks = rank_correlation(one.values, other.values)
        overlap = top_overlap(one.values, other.values, k)
        method, chart = one.attribution.method, _chart(one, other)
        return [
            _agreement("attribution_agreement", ranks, (-1.0, 0.0), method, note, chart),
            _agreement("top_feature_overlap", overlap, (0.0, k / n), f"{method}, top {k}", note),
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
        return text("{unsure} of {all} attributions have not converged.", unsure=unsure, all=2 * n)
    changed = int((after.predict(as_tensor(rows.x)).argmax(-1) != one.target).sum())
    return text(
        "The two models answer {changed} of {n} rows differently; {unsure} of {all} attributions have not "
        "converged.",
        changed=changed,
        n=n,
        unsure=unsure,
        all=2 * n,
    )


def _chart(one: Explained, other: Explained) -> Chart:
    title = text("Mean absolute attribution before and after the step")
    both = {"before": one.values, "after": other.values}
    return importance_chart(title, both, one.attribution.groups)
