"""Whether confidence can be believed, after Guo et al. (2017), "On Calibration of Modern Neural Networks"."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Bool, Float
from torch import Generator, Tensor

from fivefold.core.chart import Cell, Chart
from fivefold.core.data import Splits
from fivefold.core.evidence import Axis, Evidence, Finding, Missing
from fivefold.core.interval import bootstrap, wilson
from fivefold.core.limits import Count
from fivefold.core.model import Model
from fivefold.core.probe import Probe
from fivefold.core.randomness import spawn
from fivefold.core.text import Text, text
from fivefold.generalization.given import classes_of
from fivefold.generalization.reliability import (
    BINS,
    best_temperature,
    bins_of,
    calibration_error,
    chance_errors,
    confidence,
)

LEAST_VALID = 20
MENDED = "calibration_error_after_temperature"


@dataclass(frozen=True, kw_only=True)
class Calibration(Probe):
    """Expected calibration error on held-out examples, as it is and after mending the temperature.

    15 bins of equally many examples. The temperature is fitted on the validation split.

    Attributes:
        resamples: Bootstrap resamples of the examples.
    """

    axis: ClassVar[Axis] = Axis.GENERALIZATION
    resamples: Count = 500

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Measure the gap between confidence and accuracy on the test split."""
        classes_of(model.task, self)
        logits, y = model.predict(splits.test.x), splits.test.y
        as_is = self._as_is(*confidence(logits, y), rng)
        valid = splits.seen.valid
        if valid.size < LEAST_VALID:
            reason = text(
                "The temperature needs {least} validation examples, and there are {n}.",
                least=LEAST_VALID,
                n=valid.size,
            )
            return [as_is, Missing(axis=self.axis, name=MENDED, reason=reason)]
        temperature = best_temperature(model.predict(valid.x), valid.y)
        note = text(
            "With all logits divided by {temperature}, which was fitted on {n} validation examples. The answers stay the same.",
            temperature=temperature,
            n=valid.size,
        )
        return [as_is, self._evidence(MENDED, *confidence(logits, y, temperature), note, rng)]

    def _as_is(
        self, top: Float[Tensor, " batch"], is_right: Bool[Tensor, " batch"], rng: Generator
    ) -> Evidence:
        chance = float(chance_errors(top, spawn(rng)).mean())
        note = text(
            "Bins of finite size show a gap by chance: a perfectly calibrated model would show {chance} here. Less that, the error is {debiased}.",
            chance=chance,
            debiased=max(0.0, calibration_error(top, is_right) - chance),
        )
        return self._evidence("calibration_error", top, is_right, note, rng)

    def _evidence(
        self,
        name: str,
        top: Float[Tensor, " batch"],
        is_right: Bool[Tensor, " batch"],
        note: Text,
        rng: Generator,
    ) -> Evidence:
        value = calibration_error(top, is_right)
        low, high = self._bounds(top, is_right, value, rng)
        return Evidence(
            axis=self.axis,
            name=name,
            value=value,
            low=low,
            high=high,
            n=len(top),
            unit="fraction",
            better="lower",
            floor=1 - float(is_right.double().mean()),  # of a model that is always certain
            ceiling=0.0,
            interval="bootstrap, widened for the bias of bins",
            note=note,
            chart=_picture(top, is_right),
        )

    def _bounds(
        self, top: Tensor, is_right: Tensor, value: float, rng: Generator
    ) -> tuple[float, float]:
        """Return bounds that bins cannot make optimistic.

        Resamples show a larger error than the sample, as the sample shows a larger one than the truth: the
        upper bound stays where they put it, the lower one is reflected.
        """
        low, high = bootstrap(
            lambda rows: calibration_error(top[rows], is_right[rows]),
            len(top),
            spawn(rng),
            n_resamples=self.resamples,
        )
        chance = float(chance_errors(top, spawn(rng)).quantile(0.975))
        least = min(low, 2 * value - high, value - chance)
        return max(0.0, least), min(1.0, max(value, high))


def _picture(top: Tensor, is_right: Tensor) -> Chart:
    rows: list[dict[str, Cell]] = []
    for part in bins_of(top, is_right, BINS):
        low, high = wilson(part.hits, part.n)
        rows.append(
            {
                "confidence": part.confidence,
                "accuracy": part.hits / part.n,
                "low": low,
                "high": high,
            }
        )
    return Chart(
        title=text("Accuracy at each confidence"),
        kind="points",
        x="confidence",
        y="accuracy",
        low="low",
        high="high",
        rows=tuple(rows),
        diagonal=True,
    )
