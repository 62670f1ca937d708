"""What predictions cost in energy."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Generator

from fivefold.core.data import Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.interval import mean_interval
from fivefold.core.limits import Count, Natural, Positive
from fivefold.core.model import HasNet, Model
from fivefold.core.probe import Probe
from fivefold.core.progress import track
from fivefold.core.text import Text, text
from fivefold.efficiency.meter import Domain, Meter, counted_by, domains, estimated_by
from fivefold.efficiency.timing import inputs_of
from fivefold.models.torch import device_of


class Source(NamedTuple):
    """Where joules come from: a meter, its name in the setting, and what to know of it."""

    meter: Meter
    name: str
    note: Text


@dataclass(frozen=True, kw_only=True)
class Energy(Probe):
    """Joules per 1,000 predictions: measured if the processor's counter (RAPL) can be read, else estimated.

    The estimate is processor time times `watts`. Setting and note say which of the two a number is.

    Attributes:
        watts: Power of one busy core, for the estimate.
        size: Examples per call.
        blocks: Repeated measurements; the bounds are Student's t over them.
        seconds: Length of all blocks together; a slow model's block is at least one call.
        warmup: Calls before the first that counts.
    """

    axis: ClassVar[Axis] = Axis.EFFICIENCY

    watts: Positive = 15.0
    size: Count = 64
    blocks: Count = 8
    seconds: Positive = 0.4
    warmup: Natural = 3

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Measure or estimate.

        Raises:
            NotMeasurable: The model computes where no counter is read, or there are no test examples.
        """
        _refuse_accelerators(model)
        x, source = inputs_of(splits, self.size), source_of(domains(), self.watts)
        for _ in range(self.warmup):
            model.predict(x)
        used = [
            joules_per_call(lambda: model.predict(x), source.meter, self.seconds / self.blocks)
            for _ in track(range(self.blocks), "energy")
        ]
        value, low, high = mean_interval(torch.tensor(used) * 1000 / self.size)
        return [
            Evidence(
                axis=self.axis,
                name="energy",
                value=value,
                low=max(low, 0.0),
                high=high,
                n=self.blocks,
                unit="joules per 1,000 predictions",
                better="lower",
                setting=f"{source.name}, batch {self.size}",
                interval="Student's t over blocks",
                note=source.note,
                is_comparable=False,
            )
        ]


def source_of(parts: tuple[Domain, ...], watts: float) -> Source:
    """Return the counters in `parts`, or an estimate at `watts` if there are none."""
    if parts:
        note = text(
            "Read from the processor's counter (RAPL), which counts all programs on the machine."
        )
        return Source(counted_by(parts), "measured by RAPL", note)
    note = text(
        "Not measured: estimated as processor time times {watts} W per busy core. The interval is that "
        "of the time alone.",
        watts=watts,
    )
    return Source(estimated_by(watts), f"estimated, {watts:g} W per busy core", note)


def joules_per_call(call: Callable[[], object], meter: Meter, seconds: float) -> float:
    """Return the mean joules of one call, from calls over about `seconds`, one at least."""
    n, start, end = 0, time.perf_counter(), meter()
    while not n or time.perf_counter() - start < seconds:
        call()
        n += 1
    return end() / n


def _refuse_accelerators(model: Model) -> None:
    if isinstance(model, HasNet) and (device := device_of(model.net)).type != "cpu":
        raise NotMeasurable(
            "The energy of {device} is not read here, and processor time would not show it.",
            mend="Measure on the CPU, or with the tools of the device's maker.",
            device=device.type,
        )
