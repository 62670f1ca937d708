"""Which features the answers rest on, how few suffice, and how surely that is known."""

from dataclasses import dataclass
from math import inf
from typing import ClassVar

from torch import Generator, Tensor

from fivefold.core.chart import Chart
from fivefold.core.data import Splits
from fivefold.core.evidence import Axis, Evidence, Finding, Missing
from fivefold.core.interval import mean_interval
from fivefold.core.limits import Count, Probability
from fivefold.core.model import Model
from fivefold.core.probe import Probe
from fivefold.core.randomness import spawn
from fivefold.core.text import text
from fivefold.explanation.attribution import of_output
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.importance import by_class, heat_chart, importance_chart, strip_chart
from fivefold.explanation.leverage import LeverageSHAP
from fivefold.explanation.sample import Explained, explained, sample
from fivefold.perturb import Features


@dataclass(frozen=True, kw_only=True)
class Attributions(Probe):
    """Mean attribution of each feature, and the number of features that carry most of it.

    Attributes:
        explainer: What makes the attributions.
        n_rows: Test rows to explain.
        n_background: Training rows that stand for "not known".
        share: Part of the total absolute attribution that the decisive features carry.
    """

    axis: ClassVar[Axis] = Axis.EXPLANATION
    explainer: Explainer = LeverageSHAP(
        budget=2048, draws=1, tolerance=0.2, features=Features(grid=8)
    )
    n_rows: Count = 40
    n_background: Count = 32
    share: Probability = 0.8

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Return how many features decide, with the picture, and how far values may be off."""
        rows = sample(splits, self.n_rows, self.n_background, spawn(rng))
        found = explained(self.explainer, model, rows, spawn(rng))
        return [self._decisive(model, found), self._error(found)]

    def _decisive(self, model: Model, found: Explained) -> Evidence:
        count = decisive(found.values, self.share).double()
        value, low, high = mean_interval(count)
        return Evidence(
            axis=self.axis,
            name="decisive_features",
            value=value,
            low=max(low, 0.0),
            high=min(high, float(found.attribution.groups.n)),
            n=len(count),
            unit="features",
            better="lower",
            ceiling=1.0,
            setting=f"{found.attribution.method}, {found.attribution.groups.n} features",
            interval="Student t over rows",
            note=text(
                "Features that carry {share} of the absolute attribution of one answer, out of {n}.",
                share=self.share,
                n=found.attribution.groups.n,
            ),
            chart=_chart(model, found),
        )

    def _error(self, found: Explained) -> Finding:
        name, setting = "attribution_error", found.attribution.method
        relative = relative_error(found)
        if relative.isinf().any():
            reason = text(
                "There are too few sets of features to judge the error by; raise the budget."
            )
            return Missing(axis=self.axis, name=name, reason=reason, setting=setting)
        value, low, high = mean_interval(relative)
        return Evidence(
            axis=self.axis,
            name=name,
            value=value,
            low=max(low, 0.0),
            high=high if high < inf else max(1.0, value),
            n=len(relative),
            unit="fraction",
            better="lower",
            ceiling=0.0,
            setting=setting,
            interval="Student t over rows",
            note=text(
                "{unsure} of {all} attributions have not converged.",
                unsure=found.n_unsure,
                all=len(relative),
            ),
            chart=_strip(found),
        )


def decisive(values: Tensor, share: float) -> Tensor:
    """Return how many features of each row it takes to carry `share` of the absolute attribution."""
    sizes = values.abs().sort(dim=1, descending=True).values.cumsum(1)
    return (sizes < share * sizes[:, -1:] - 1e-12).sum(1) + (sizes[:, -1] > 0).long()


def relative_error(found: Explained) -> Tensor:
    """Return each row's error over its attributions: the standard error, or what gradients fail to add up to."""
    length = found.values.norm(dim=1).clamp(min=1e-12)
    error = found.attribution.error
    if error is None:
        return found.attribution.gap.gather(1, found.target[:, None])[:, 0].abs() / length
    return of_output(error, found.target).norm(dim=1) / length


def _chart(model: Model, found: Explained) -> Chart:
    groups = found.attribution.groups
    if len(groups.shape) == 2 and model.task.is_classification:
        title = text("Where pixels speak for the predicted class (log-odds, mean over examples)")
        maps = by_class(found.values, found.target, model.task.classes)
        return heat_chart(title, maps, groups, "class")
    unit = str(found.attribution.unit)
    title = text("Which features move the answer most ({unit})", unit=unit)
    if found.n_unsure:
        title = text(
            "Which features move the answer most ({unit}) – ⚠ {unsure} of {all} rows not converged",
            unit=unit,
            unsure=found.n_unsure,
            all=len(found.values),
        )
    return importance_chart(title, {"": found.values}, groups)


def _strip(found: Explained) -> Chart | None:
    """Return every attribution as a point; of an image there is none, for it has too many patches."""
    return strip_chart(found.attribution) if len(found.attribution.groups.shape) == 1 else None
