"""Performance of the group that fares worst, after Sagawa et al. (2020), "Distributionally Robust Networks"."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from jaxtyping import Bool
from torch import Generator, Tensor

from fivefold.core.chart import Cell, Chart
from fivefold.core.data import Batch, Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.interval import bootstrap, wilson
from fivefold.core.limits import Count
from fivefold.core.model import Model
from fivefold.core.probe import Probe
from fivefold.core.randomness import spawn
from fivefold.core.schema import groupings
from fivefold.core.task import Task
from fivefold.core.text import Text, text


class Judged(NamedTuple):
    """One group with its performance and bounds that hold for all groups at once."""

    name: str
    value: float
    low: float
    high: float
    floor: float
    n: int


@dataclass(frozen=True, kw_only=True)
class WorstGroup(Probe):
    """Accuracy (of numbers: root mean squared error) of the group that fares worst on held-out examples.

    Groups are those of the protected columns; without any, the true classes. As the worst of several is
    picked, each group's bounds hold at 95 % for all together (Bonferroni).

    Attributes:
        least: Groups with fewer examples are named, not judged.
        resamples: Bootstrap resamples, for numbers.
    """

    axis: ClassVar[Axis] = Axis.GENERALIZATION
    least: Count = 10
    resamples: Count = 1000

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Measure each group of the test split and return the worst."""
        test = splits.test
        groups, setting = _groups(model, test)
        large = {name: rows for name, rows in groups.items() if int(rows.sum()) >= self.least}
        if not large:
            raise NotMeasurable(
                "No group has {least} test examples.",
                mend="Use a larger test split, or lower `least`.",
                least=self.least,
            )
        alpha = 0.05 / len(large)
        judge = self._judge(model, test, alpha, rng)
        judged = [judge(name, rows) for name, rows in large.items()]
        small = [name for name, rows in groups.items() if name not in large and bool(rows.any())]
        return [self._evidence(model.task, judged, setting, small)]

    def _judge(
        self, model: Model, test: Batch, alpha: float, rng: Generator
    ) -> Callable[[str, Bool[Tensor, " batch"]], Judged]:
        answer = model.predict(test.x)
        if model.task.is_classification:
            is_right, is_common = answer.argmax(1) == test.y, test.y == test.y.mode().values
            return lambda name, rows: _of_hits(name, is_right[rows], is_common[rows], alpha)
        error = (answer[:, 0].double() - test.y) ** 2
        spread = (test.y.double() - test.y.double().mean()) ** 2
        return lambda name, rows: self._of_errors(name, error[rows], spread[rows], alpha, rng)

    def _of_errors(
        self, name: str, error: Tensor, spread: Tensor, alpha: float, rng: Generator
    ) -> Judged:
        value, n = float(error.mean().sqrt()), len(error)
        low, high = bootstrap(
            lambda rows: error[rows].mean().sqrt(),
            n,
            spawn(rng),
            n_resamples=self.resamples,
            alpha=alpha,
        )
        floor = float(spread.mean().sqrt())
        return Judged(name, value, min(low, value), max(high, value), floor, n)

    def _evidence(
        self, task: Task, judged: list[Judged], setting: str, small: list[str]
    ) -> Evidence:
        is_class = task.is_classification
        pick = min if is_class else max
        return Evidence(
            axis=self.axis,
            name="worst_group_accuracy" if is_class else "worst_group_rmse",
            value=pick(g.value for g in judged),
            low=pick(g.low for g in judged),
            high=pick(g.high for g in judged),
            n=sum(g.n for g in judged),
            unit="fraction" if is_class else task.unit or "units of the target",
            better="higher" if is_class else "lower",
            floor=pick(g.floor for g in judged),
            ceiling=1.0 if is_class else 0.0,
            setting=setting,
            interval="Wilson, Bonferroni" if is_class else "bootstrap, Bonferroni",
            note=_note(pick(judged, key=lambda g: g.value), len(judged), small, self.least),
            chart=_picture(judged, "accuracy" if is_class else "error"),
        )


def _groups(model: Model, test: Batch) -> tuple[dict[str, Bool[Tensor, " batch"]], str]:
    """Return the rows of each group, and what kind of groups they are.

    Raises:
        NotMeasurable: There is nothing to tell groups by.
    """
    found: dict[str, Tensor] = {}
    if model.schema.is_table and isinstance(test.x, Tensor):
        for grouping in groupings(model.schema, test.x):
            named = [*enumerate(grouping.labels), (-1, "?")]
            found |= {f"{grouping.name}: {label}": grouping.member == i for i, label in named}
    if found:
        return found, "protected groups"
    if model.task.is_classification:
        return {name: test.y == i for i, name in enumerate(model.task.classes)}, "classes"
    raise NotMeasurable(
        "There are no groups: no column is protected, and {target} is a number.",
        mend="Mark a column as protected in the schema.",
        target=model.task.target,
    )


def _of_hits(
    name: str, is_right: Bool[Tensor, " group"], is_common: Bool[Tensor, " group"], alpha: float
) -> Judged:
    from scipy.stats import norm

    hits, n = int(is_right.sum()), len(is_right)
    low, high = wilson(hits, n, float(norm.ppf(1 - alpha / 2)))
    return Judged(name, hits / n, low, high, float(is_common.double().mean()), n)


def _note(worst: Judged, n_groups: int, small: list[str], least: int) -> Text:
    if not small:
        return text(
            "The worst of {groups} groups is {name} with {n} examples.",
            groups=n_groups,
            name=worst.name,
            n=worst.n,
        )
    return text(
        "The worst of {groups} groups is {name} with {n} examples. Too small to judge (fewer than {least} examples): {small}.",
        groups=n_groups,
        name=worst.name,
        n=worst.n,
        least=least,
        small=", ".join(small),
    )


def _picture(judged: list[Judged], measure: str) -> Chart:
    rows: list[dict[str, Cell]] = [
        {"group": g.name, measure: g.value, "low": g.low, "high": g.high, "examples": g.n}
        for g in sorted(judged, key=lambda g: g.value)
    ]
    return Chart(
        title=text("Each group, with bounds that hold for all at once"),
        kind="bar",
        x="group",
        y=measure,
        low="low",
        high="high",
        rows=tuple(rows),
    )
