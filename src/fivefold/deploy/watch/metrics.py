"""The numbers of a monitor for Prometheus, in a registry of their own."""

from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from fivefold.core.errors import MissingExtra
from fivefold.core.evidence import Evidence
from fivefold.deploy.watch.monitor import Monitor
from fivefold.deploy.watch.totals import BOUNDS

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

DRIFTS = ("drift", "answer_drift")


def registry_of(monitor: Monitor) -> "CollectorRegistry":
    """Return a registry that reads `monitor` whenever it is scraped.

    Raises:
        MissingExtra: prometheus-client is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry
    except ImportError as error:
        raise MissingExtra(
            "Numbers for Prometheus need {package}.",
            mend='pip install "fivefold[serve]"',
            package="prometheus-client",
        ) from error
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Reads(monitor))
    return registry


class _Reads:
    """A collector: nothing is counted twice, and a request pays nothing for it."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def collect(self) -> "Iterator[Metric]":
        """Yield all families."""
        from prometheus_client.core import GaugeMetricFamily

        self._monitor.catch_up()
        yield from self._counts()
        yield GaugeMetricFamily(
            "fivefold_queue_depth", "Requests that wait for the model", value=self._monitor.depth()
        )
        drift = GaugeMetricFamily(
            "fivefold_drift", "Jensen-Shannon distance to the reference", labels=["feature"]
        )
        chance = GaugeMetricFamily(
            "fivefold_drift_chance", "That distance if nothing had changed", labels=["feature"]
        )
        for found in self._monitor.live().findings:
            if isinstance(found, Evidence) and found.name in DRIFTS:
                drift.add_metric([found.setting or "answers"], found.value)
                chance.add_metric([found.setting or "answers"], found.floor or 0.0)
        yield drift
        yield chance

    def _counts(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        totals = self._monitor.totals()
        requests = CounterMetricFamily(
            "fivefold_requests", "Requests", labels=["verb", "status", "refusal"]
        )
        for (verb, status, refusal), n in sorted(totals.requests.items()):
            requests.add_metric([verb, str(status), refusal], n)
        yield requests
        bounds = [*(f"{b:g}" for b in BOUNDS), "+Inf"]
        buckets: list[Any] = list(zip(bounds, accumulate(totals.within), strict=True))
        yield HistogramMetricFamily(
            "fivefold_request_seconds",
            "Time of a request",
            buckets=buckets,
            sum_value=totals.seconds,
        )
        for name, told, value in (
            ("fivefold_rows", "Examples that were read", totals.rows),
            ("fivefold_detector_scored", "Examples that the detector looked at", totals.scored),
            ("fivefold_detector_alarms", "Alarms of the detector", totals.alarms),
            ("fivefold_unobserved_requests", "Requests that came too fast to be looked at", totals.lost),
        ):  # fmt: skip
            yield CounterMetricFamily(name, told, value=value)
