"""How well numbers are predicted."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from fivefold.core.chart import Chart
from fivefold.core.data import Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.interval import bootstrap
from fivefold.core.model import Model
from fivefold.core.probe import Probe
from fivefold.core.text import text
from fivefold.learning.asked import Asked, no_number, numbers

MOST_POINTS = 500


@dataclass(frozen=True, kw_only=True)
class R2(Probe):
    """Share of the target's variance that is explained; 0 is what predicting the mean reaches."""

    axis: ClassVar[Axis] = Axis.LEARNING
    tasks: ClassVar[tuple[str, ...]] = ("regression",)

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Compare predictions on the test split with the truth.

        Raises:
            NotMeasurable: The test targets are all the same.
        """
        if model.task.is_classification:
            return [no_number("r2")]
        asked = numbers(model, splits)
        n = len(asked.truth)
        if n < 2 or bool((asked.truth == asked.truth[0]).all()):
            raise NotMeasurable(
                "The test targets are all the same number, so there is no variance to explain.",
                mend="Use learning.RMSE, or hold out more rows.",
            )
        value = float(r_squared(asked, torch.arange(n)))
        low, high = bootstrap(lambda rows: r_squared(asked, rows), n, rng)
        return [
            Evidence(
                axis=self.axis,
                name="r2",
                value=value,
                low=min(low, value),
                high=max(high, value),
                n=n,
                unit="fraction of variance",
                better="higher",
                floor=0.0,
                ceiling=1.0,
                interval="bootstrap",
                chart=_picture(asked),
            )
        ]


@dataclass(frozen=True, kw_only=True)
class RMSE(Probe):
    """Root of the mean squared error. Its floor is always predicting the mean of the training targets."""

    axis: ClassVar[Axis] = Axis.LEARNING
    tasks: ClassVar[tuple[str, ...]] = ("regression",)

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Compare predictions on the test split with the truth.

        Raises:
            NotMeasurable: Nothing is held out.
        """
        if model.task.is_classification:
            return [no_number("rmse")]
        asked = numbers(model, splits)
        errors = (asked.outputs - asked.truth).square()
        value = float(errors.mean().sqrt())
        low, high = bootstrap(lambda rows: errors[rows].mean().sqrt(), len(errors), rng)
        return [
            Evidence(
                axis=self.axis,
                name="rmse",
                value=value,
                low=min(low, value),
                high=max(high, value),
                n=len(errors),
                unit=model.task.unit or "units of the target",
                better="lower",
                floor=_error_of_the_mean(splits),
                ceiling=0.0,
                interval="bootstrap",
            )
        ]


def r_squared(asked: Asked, rows: Tensor) -> Tensor:
    """Return the coefficient of determination over `rows`; NaN if their targets are all the same."""
    truth, outputs = asked.truth[rows], asked.outputs[rows]
    total = (truth - truth.mean()).square().sum()
    share = 1 - (truth - outputs).square().sum() / total
    return torch.where(total > 0, share, torch.nan)


def _error_of_the_mean(splits: Splits) -> float | None:
    if not splits.seen.train.size:
        return None
    mean = splits.seen.train.y.double().mean()
    return float((splits.test.y.double() - mean).square().mean().sqrt())


def _picture(asked: Asked) -> Chart:
    rows = zip(asked.outputs.tolist(), asked.truth.tolist(), strict=True)
    return Chart(
        title=text("Predicted and true numbers"),
        kind="points",
        x="predicted",
        y="true",
        rows=tuple({"predicted": p, "true": t} for p, t in list(rows)[:MOST_POINTS]),
        diagonal=True,
    )
