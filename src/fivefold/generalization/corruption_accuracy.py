"""Performance under accidents: mean over corruptions and severities (Hendrycks and Dietterich, 2019)."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.chart import Cell, Chart
from fivefold.core.data import Batch, Splits
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.interval import bootstrap
from fivefold.core.limits import Count
from fivefold.core.model import Model
from fivefold.core.probe import Probe
from fivefold.core.progress import track
from fivefold.core.randomness import spawn
from fivefold.core.task import Task
from fivefold.core.text import text
from fivefold.generalization.given import at_most, majority_share, tensor_of
from fivefold.perturb.corruption import SEVERITIES, corruptions


class Cells(NamedTuple):
    """One result per example in each (corruption, severity): 1 or 0 if right or wrong, or a squared error."""

    names: tuple[str, ...]
    clean: Float[Tensor, " batch"]
    results: Float[Tensor, "corruption severity batch"]


@dataclass(frozen=True, kw_only=True)
class CorruptionAccuracy(Probe):
    """Accuracy (of numbers: root mean squared error) on corrupted held-out examples.

    The mean over all corruptions that fit the inputs, at five severities each.

    Attributes:
        examples: Most examples to corrupt; more are sampled.
        resamples: Bootstrap resamples of the examples.
    """

    axis: ClassVar[Axis] = Axis.GENERALIZATION
    examples: Count = 1000
    resamples: Count = 1000

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Corrupt the test split in every way and measure."""
        tensor_of(splits.test.x, self)
        batch = at_most(splits.test, self.examples, rng)
        cells = _measured(model, batch, rng)
        each = cells.results.mean((0, 1))
        is_class = model.task.is_classification

        def overall(rows: Tensor) -> float:
            return _summary(each[rows], is_class)

        value = overall(torch.arange(batch.size))
        low, high = bootstrap(overall, batch.size, spawn(rng), n_resamples=self.resamples)
        return [
            self._evidence(model.task, batch, cells, (min(low, value), value, max(high, value)))
        ]

    def _evidence(
        self, task: Task, batch: Batch, cells: Cells, found: tuple[float, float, float]
    ) -> Evidence:
        is_class = task.is_classification
        low, value, high = found
        return Evidence(
            axis=self.axis,
            name="corruption_accuracy" if is_class else "corruption_rmse",
            value=value,
            low=low,
            high=high,
            n=batch.size,
            unit="fraction" if is_class else task.unit or "units of the target",
            better="higher" if is_class else "lower",
            floor=majority_share(batch.y) if is_class else float(batch.y.std(correction=0)),
            ceiling=1.0 if is_class else 0.0,
            setting=f"{len(cells.names)} corruptions",
            interval="bootstrap over examples",
            note=text(
                "Without corruption the same examples give {clean}. The corruptions are simulated; those of the field may differ.",
                clean=_summary(cells.clean, is_class),
            ),
            chart=_picture(cells, is_class),
        )


def _measured(model: Model, batch: Batch, rng: Generator) -> Cells:
    kinds = corruptions(model.schema)
    x = tensor_of(batch.x, model)
    rows = [
        torch.stack(
            [_results(model, Batch(k.at(s, x, model.schema, rng), batch.y)) for s in SEVERITIES]
        )
        for k in track(kinds, "corruptions")
    ]
    return Cells(tuple(k.name for k in kinds), _results(model, batch), torch.stack(rows))


def _results(model: Model, batch: Batch) -> Float[Tensor, " batch"]:
    answer = model.predict(batch.x)
    if model.task.is_classification:
        return (answer.argmax(1) == batch.y).double()
    return (answer[:, 0].double() - batch.y) ** 2


def _summary(results: Float[Tensor, "..."], is_class: bool) -> float:
    return float(results.mean() if is_class else results.mean().sqrt())


def _picture(cells: Cells, is_class: bool) -> Chart:
    measure = "accuracy" if is_class else "error"
    rows: list[dict[str, Cell]] = []
    for name, results in zip(cells.names, cells.results, strict=True):
        whole = [cells.clean, *results]
        rows += [
            {"corruption": name, "severity": s, measure: _summary(whole[s], is_class)}
            for s in (0, *SEVERITIES)
        ]
    return Chart(
        title=text("Each corruption by severity"),
        kind="line",
        x="severity",
        y=measure,
        series="corruption",
        rows=tuple(rows),
    )
