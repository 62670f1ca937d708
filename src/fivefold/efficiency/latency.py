"""How long a prediction takes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.chart import Chart
from fivefold.core.data import Splits
from fivefold.core.evidence import Axis, Evidence, Finding, Missing
from fivefold.core.interval import quantile_interval
from fivefold.core.limits import Count, Natural, Positive
from fivefold.core.model import HasNet, Model
from fivefold.core.probe import Probe
from fivefold.core.progress import track
from fivefold.core.text import Text, text
from fivefold.efficiency.timing import durations, inputs_of, load_note, load_per_core
from fivefold.models.torch import device_of

QUANTILES = {"latency_p50": 0.5, "latency_p95": 0.95}


@dataclass(frozen=True, kw_only=True)
class Latency(Probe):
    """Seconds of one call of `predict`, preparation of the inputs included: median and 95th percentile.

    The bounds are order statistics and assume no distribution. A percentile for which too few calls
    were made is missing. Threads are left as they are, and named; a busy machine is noted.

    Attributes:
        batches: Batch sizes.
        repeats: Calls at each batch size.
        warmup: Calls before the first that counts.
        seconds: After so long no further call is begun at this batch size.
    """

    axis: ClassVar[Axis] = Axis.EFFICIENCY

    batches: tuple[Count, ...] = (1, 64)
    repeats: Count = 200
    warmup: Natural = 10
    seconds: Positive = 2.0

    def __post_init__(self) -> None:
        if not self.batches or len(set(self.batches)) < len(self.batches):
            raise ValueError(f"batches must name different batch sizes, not {self.batches}.")

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Time the calls.

        Raises:
            NotMeasurable: There are no test examples.
        """
        note = load_note(load_per_core())
        taken = {size: self._taken(model, splits, size) for size in track(self.batches, "latency")}
        where = place_of(model)
        found = [
            _finding(name, values, f"batch {size}, {where}", note)
            for size, values in taken.items()
            for name in QUANTILES
        ]
        first = found[0]
        return [
            replace(first, chart=_chart(taken)) if isinstance(first, Evidence) else first,
            *found[1:],
        ]

    def _taken(self, model: Model, splits: Splits, size: int) -> Float[Tensor, " call"]:
        x = inputs_of(splits, size)
        return durations(
            lambda: model.predict(x),
            warmup=self.warmup,
            repeats=self.repeats,
            seconds=self.seconds,
        )


def place_of(model: Model) -> str:
    """Return where the model computes, as it stands in a setting."""
    if isinstance(model, HasNet) and (device := device_of(model.net)).type != "cpu":
        return device.type
    threads = torch.get_num_threads()
    return "1 thread" if threads == 1 else f"{threads} threads"


def needed(q: float) -> int:
    """Return how many calls it takes to bound the quantile `q` from both sides at 95 %."""
    rarer, n = max(q, 1 - q), 1
    while rarer**n >= 0.025:
        n += 1
    return n


def _finding(name: str, values: Float[Tensor, " call"], setting: str, note: Text) -> Finding:
    q, n = QUANTILES[name], len(values)
    if n < needed(q):
        reason = text("Bounding it takes {needed} calls, and {n} were made.", needed=needed(q), n=n)
        return Missing(axis=Axis.EFFICIENCY, name=name, reason=reason, setting=setting)
    value, low, high = quantile_interval(values, q)
    return Evidence(
        axis=Axis.EFFICIENCY,
        name=name,
        value=value,
        low=low,
        high=high,
        n=n,
        unit="seconds",
        better="lower",
        setting=setting,
        interval="order statistics",
        note=note,
        is_comparable=False,
    )


def _chart(taken: Mapping[int, Float[Tensor, " call"]]) -> Chart:
    """Return how many of the calls took at most so long."""
    shares = torch.linspace(0, 1, 41, dtype=torch.float64)
    rows = tuple(
        {"seconds": second, "share of calls": share, "batch size": str(size)}
        for size, values in taken.items()
        for second, share in zip(values.quantile(shares).tolist(), shares.tolist(), strict=True)
    )
    return Chart(
        title=text("How many calls took at most so long"),
        kind="line",
        x="seconds",
        y="share of calls",
        series="batch size",
        rows=rows,
    )
