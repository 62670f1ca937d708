"""Evidence about requests: how fast, how many, how many refused and by whom, how many alarms."""

import torch

from fivefold.core.evidence import Axis, Evidence, Finding, Missing
from fivefold.core.interval import clopper_pearson, quantile_interval
from fivefold.core.text import Text, text
from fivefold.deploy.event import REFUSALS
from fivefold.deploy.watch.observe import (
    CODES,
    INFERS,
    REFUSED,
    SCORE,
    SECONDS,
    STATUS,
)
from fivefold.deploy.watch.subject import Subject
from fivefold.deploy.watch.view import View

QUANTILES = {"latency_p50": 0.5, "latency_p95": 0.95}
FEWEST = {"latency_p50": 6, "latency_p95": 72}  # what bounds the quantile from both sides at 95 %
QUIET = text("No request in the window.")
FAST = text(
    "From the first byte read to the answer written, waiting and guards included. Requests are taken as independent."
)
ASKED = text("What callers asked for, not what the server could bear.")
GUARD = text("Share of all requests in the window that this guard refused.")
ALARMS = text(
    "Share of examples that the detector found suspicious; chance is what it was set to alarm on among ordinary ones."
)


def traffic(view: View, subject: Subject) -> list[Finding]:
    """Return latency, throughput, refusals and alarms."""
    return [*_latency(view), _throughput(view), *_refusals(view), _alarms(view, subject)]


def _latency(view: View) -> list[Finding]:
    seen = view.requests
    answered = (seen[:, REFUSED] == 0) & (seen[:, STATUS] < 400) & (seen[:, INFERS] == 1)
    seconds = seen[answered, SECONDS]
    return [_quantile(name, seconds) for name in QUANTILES]


def _quantile(name: str, seconds: torch.Tensor) -> Finding:
    n = len(seconds)
    if n < FEWEST[name]:
        reason = text("Bounding it takes {needed} calls, and {n} were made.", needed=FEWEST[name], n=n)  # fmt: skip
        return Missing(axis=Axis.EFFICIENCY, name=name, reason=reason, setting="live")
    value, low, high = quantile_interval(seconds, QUANTILES[name])
    return Evidence(
        axis=Axis.EFFICIENCY, name=name, value=value, low=low, high=high, n=n, unit="seconds",
        better="lower", setting="live", interval="order statistics", note=FAST, is_comparable=False,
    )  # fmt: skip


def _throughput(view: View) -> Finding:
    from scipy.stats import chi2

    n = len(view.requests)
    if n == 0:
        return Missing(axis=Axis.EFFICIENCY, name="throughput", reason=QUIET, setting="live")
    span = max(view.now - view.since, 1e-3)
    low, high = float(chi2.ppf(0.025, 2 * n)) / 2, float(chi2.ppf(0.975, 2 * n + 2)) / 2
    return Evidence(
        axis=Axis.EFFICIENCY, name="throughput", value=n / span, low=low / span, high=high / span,
        n=n, unit="requests per second", better="higher", setting="live", interval="Garwood",
        note=ASKED, is_comparable=False,
    )  # fmt: skip


def _refusals(view: View) -> list[Finding]:
    n = len(view.requests)
    if n == 0:
        return [_missing("refusal_rate", QUIET, guard) for guard in REFUSALS]
    codes = view.requests[:, REFUSED].long().bincount(minlength=len(CODES)).tolist()
    return [_share("refusal_rate", codes[CODES[g]], n, GUARD, setting=g) for g in REFUSALS]


def _alarms(view: View, subject: Subject) -> Finding:
    if subject.threshold is None:
        return _missing("alarm_rate", text("This bundle has no detector."))
    scores = view.examples[:, SCORE]
    scores = scores[~scores.isnan()]  # NaN: the detector did not look
    if not len(scores):
        return _missing("alarm_rate", text("The detector has looked at nothing in the window."))
    hits = int((scores > subject.threshold).sum())
    return _share("alarm_rate", hits, len(scores), ALARMS, floor=subject.nominal)


def _share(
    name: str, hits: int, n: int, note: Text, *, setting: str = "", floor: float | None = None
) -> Evidence:
    low, high = clopper_pearson(hits, n)
    return Evidence(
        axis=Axis.SECURITY, name=name, value=hits / n, low=low, high=high, n=n, unit="fraction",
        better="lower", floor=floor, ceiling=0.0, setting=setting, interval="Clopper-Pearson", note=note,
    )  # fmt: skip


def _missing(name: str, reason: Text, setting: str = "") -> Missing:
    return Missing(axis=Axis.SECURITY, name=name, reason=reason, setting=setting)
