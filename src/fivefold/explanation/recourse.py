"""Whether people could turn an answer, and how much would have to change (Ustun et al., 2019, "Actionable Recourse")."""

from dataclasses import dataclass
from math import inf
from typing import ClassVar

from torch import Generator, Tensor

from fivefold.core.chart import Chart
from fivefold.core.data import Splits, as_tensor
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Evidence, Finding, Missing
from fivefold.core.interval import quantile_interval, wilson
from fivefold.core.limits import Count, NonNegative
from fivefold.core.model import Model
from fivefold.core.probe import Probe
from fivefold.core.randomness import spawn
from fivefold.core.text import Text, text
from fivefold.explanation.counterfactual import Counterfactual, Counterfactuals
from fivefold.explanation.counterfactual.counterfactual import sought
from fivefold.explanation.counterfactual.goal import Goal, across
from fivefold.explanation.sample import sample

MOST_BARS = 12


@dataclass(frozen=True, kw_only=True)
class Recourse(Probe):
    """Share of rows whose answer a change that the schema allows turns, and how large the smallest found is.

    Of classes any other will do; a number has to reach the median answer to the training rows, or its
    other side. The search finds what it finds: the share is a lower bound of what exists, the
    changes are an upper bound of the smallest. No clock ends it.

    Attributes:
        n_rows: Test rows to turn.
        n_background: Training rows to draw values from and to judge plausibility by.
        budget: Answers asked of the model for each row.
        sparsity: Length that one column less is worth.
        plausibility: How much dearer a change is that ends outside the ordinary.
    """

    axis: ClassVar[Axis] = Axis.EXPLANATION
    n_rows: Count = 50
    n_background: Count = 200
    budget: Count = 2000
    sparsity: NonNegative = 0.25
    plausibility: NonNegative = 2.0

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Return the share that has a way out, a plausible one, and the size of the first one found.

        Raises:
            NotMeasurable: The inputs are no table.
        """
        rows = sample(splits, self.n_rows, self.n_background, spawn(rng))
        if not model.schema.is_table:
            raise NotMeasurable(
                "Only a table has columns that somebody could change.",
                mend="Use generalization.RobustAccuracy for images.",
            )
        middle = float(model.predict(as_tensor(rows.background))[:, 0].median())

        def goal(told: Tensor) -> Goal:
            return across(model.task, told, middle)

        found = sought(self._method(), model, (rows.x, rows.background), goal, spawn(rng))
        return [
            self._share("recourse", found, found.found[:, 0], _note(found)),
            self._share("plausible_recourse", found, found.is_plausible[:, 0], _ordinary(found)),
            self._size("changed_columns", found, found.n_changed[:, 0].double(), "columns"),
            self._size("change_length", found, found.distance[:, 0].double(), "scale units"),
        ]

    def _method(self) -> Counterfactual:
        return Counterfactual(
            n=1,
            seconds=inf,
            budget=self.budget,
            sparsity=self.sparsity,
            plausibility=self.plausibility,
        )

    @property
    def _setting(self) -> str:
        return (
            f"budget {self.budget}, sparsity {self.sparsity:g}, plausibility {self.plausibility:g}"
        )

    def _share(self, name: str, found: Counterfactuals, hit: Tensor, note: Text) -> Finding:
        if name == "plausible_recourse" and found.usual.isnan().all():
            reason = text("The background is too small to say whether such a row is plausible.")
            return Missing(axis=self.axis, name=name, reason=reason, setting=self._setting)
        n, hits = len(hit), int(hit.sum())
        low, high = wilson(hits, n)
        return Evidence(
            axis=self.axis,
            name=name,
            value=hits / n,
            low=low,
            high=high,
            n=n,
            unit="fraction",
            better="higher",
            ceiling=1.0,
            setting=self._setting,
            interval="Wilson",
            note=note,
            chart=_chart(found) if name == "recourse" else None,
        )

    def _size(self, name: str, found: Counterfactuals, sizes: Tensor, unit: str) -> Finding:
        """Return the median over the rows that have a way out."""
        sizes = sizes[found.found[:, 0]]
        if not len(sizes):
            reason = text("No change was found that turns any answer, so that none has a size.")
            return Missing(axis=self.axis, name=name, reason=reason, setting=self._setting)
        value, low, high = quantile_interval(sizes, 0.5)
        return Evidence(
            axis=self.axis,
            name=name,
            value=value,
            low=min(low, value),
            high=max(high, value),
            n=len(sizes),
            unit=unit,
            better="lower",
            setting=self._setting,
            interval="order statistics",
            note=text(
                "Median over the {n} of {all} rows with a way out; the search may miss a smaller change.",
                n=len(sizes),
                all=len(found.x),
            ),
        )


def _note(found: Counterfactuals) -> Text:
    return text(
        "Changes of the model's answer, not of the world. Where none was found there may be one: {n} "
        "evaluations were made per row on average.",
        n=round(float(found.n_evaluations.double().mean())),
    )


def _ordinary(found: Counterfactuals) -> Text:
    return text(
        "Ways out that end no farther from the training rows than {share} of those or the row itself.",
        share=0.95,
    )


def _chart(found: Counterfactuals) -> Chart | None:
    """Return how often each column is part of the way out."""
    hit = found.found[:, 0]
    if not hit.any():
        return None
    changed = (found.values[hit, 0] != found.x[hit]) & ~found.values[hit, 0].isnan()
    share = changed.double().mean(0)
    order = share.sort(descending=True, stable=True).indices[:MOST_BARS]
    order = order[share[order] > 0].tolist()
    names, n = found.schema.names(), int(hit.sum())
    rows: list[dict[str, str | float]] = []
    for i in order:
        low, high = wilson(int(changed[:, i].sum()), n)
        rows.append({"column": names[i], "share": float(share[i]), "low": low, "high": high})
    return Chart(
        title=text("How often each column is part of the smallest change that turns the answer"),
        kind="bar",
        x="column",
        y="share",
        rows=tuple(rows),
        low="low",
        high="high",
    )
