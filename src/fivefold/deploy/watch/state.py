"""What the live page shows, as plain data: the last minutes, and the evidence of the window."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from fivefold.core.evidence import Evidence, Finding
from fivefold.core.text import Language, translate
from fivefold.deploy.event import REFUSALS
from fivefold.deploy.watch.drift import is_drift
from fivefold.deploy.watch.monitor import Monitor
from fivefold.deploy.watch.series import STEP, Moment
from fivefold.deploy.watch.totals import Totals

MOST_BARS = 24  # columns that the page draws; the table holds all of them
RECENT = 5  # steps that "now" means: ten seconds
DRIFTS = ("drift", "answer_drift")
ORDER = ("generalization", "security", "efficiency", "learning")


def state_of(monitor: Monitor, language: Language) -> dict[str, Any]:
    """Return everything that the page shows, in the reader's language."""
    live, moments, totals = monitor.live(), monitor.moments(), monitor.totals()
    now = monitor.clock()
    findings = sorted(live.findings, key=lambda f: ORDER.index(f.axis) if f.axis in ORDER else 9)
    return {
        "name": monitor.subject.name,
        "is_classification": monitor.subject.task.is_classification,
        "now": _clock(now),
        "since": _clock(live.started),
        "measured": _clock(live.written),
        "minutes": live.minutes,
        "requests": totals.n,
        "rows": totals.rows,
        "lost": totals.lost,
        "depth": monitor.depth(),
        "tiles": _tiles(moments, findings),
        "series": _series(moments),
        "refusals": _refusals(totals, language),
        "drift": _drift(findings, language),
        "answers": _answers(findings, language),
        "findings": [_finding(f, language) for f in findings],
    }


def _clock(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _tiles(moments: Sequence[Moment], findings: Sequence[Finding]) -> dict[str, Any]:
    recent = moments[-RECENT:]
    drifts = [f for f in findings if isinstance(f, Evidence) and f.name in DRIFTS]
    found = {f.key: f for f in findings if isinstance(f, Evidence)}
    refused = sum(m.refused for m in moments)
    asked = sum(m.requests for m in moments)
    return {
        "rate": sum(m.requests for m in recent) / (len(recent) * STEP),
        "p50": _numbers(found.get("efficiency.latency_p50[live]")),
        "p95": _numbers(found.get("efficiency.latency_p95[live]")),
        "refused": refused / asked if asked else None,
        "alarms": _numbers(found.get("security.alarm_rate")),
        "drifted": sum(map(is_drift, drifts)),
        "watched": len(drifts),
        "right": _numbers(found.get("learning.accuracy") or found.get("learning.absolute_error")),
    }


def _numbers(found: Evidence | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "value": found.value, "low": _finite(found.low), "high": _finite(found.high), "n": found.n,
        "chance": found.floor,
    }  # fmt: skip


def _series(moments: Sequence[Moment]) -> dict[str, Any]:
    return {
        "step": STEP,
        "requests": [m.requests / STEP for m in moments],
        "refused": [m.refused / STEP for m in moments],
        "p50": [m.quantile(0.5) for m in moments],
        "p95": [m.quantile(0.95) for m in moments],
        "alarms": [m.alarms / m.examples if m.examples else None for m in moments],
    }


def _refusals(totals: Totals, language: Language) -> list[dict[str, Any]]:
    found = totals.refusals
    return [
        {"name": translate(guard, language), "n": found.get(guard, 0), "share": found.get(guard, 0) / max(totals.n, 1)}
        for guard in REFUSALS
    ]  # fmt: skip


def _drift(findings: Sequence[Finding], language: Language) -> list[dict[str, Any]]:
    """Return the columns that are furthest away, the answers first."""
    found = [f for f in findings if isinstance(f, Evidence) and f.name in DRIFTS]
    found.sort(key=lambda f: (f.name == "drift", not is_drift(f), -f.value))
    return [
        {
            "name": f.setting or translate("answers", language), "value": f.value, "low": f.low,
            "high": f.high, "chance": f.floor, "drifted": is_drift(f), "n": f.n,
        }
        for f in found[:MOST_BARS]
    ]  # fmt: skip


def _answers(findings: Sequence[Finding], language: Language) -> list[dict[str, Any]]:
    """Return the share of each answer, now and in the reference."""
    found = next(
        (f for f in findings if isinstance(f, Evidence) and f.name == "answer_drift"), None
    )
    shares: dict[str, dict[str, Any]] = {}
    for row in found.chart.rows if found and found.chart else ():
        name = str(row["value"])
        told = translate(name, language) if name in ("missing", "others", "any") else name
        one = shares.setdefault(name, {"name": told})
        one[str(row["when"])] = row["share of examples"]
    return [s for s in shares.values() if s.get("live") or s.get("reference")][:MOST_BARS]


def _finding(found: Finding, language: Language) -> dict[str, Any]:
    base = {
        "axis": translate(found.axis.value, language),
        "name": translate(found.name.replace("_", " "), language),
        "setting": found.setting if found.name in DRIFTS else translate(found.setting, language),
        "drifted": is_drift(found),
    }  # fmt: skip
    if not isinstance(found, Evidence):
        return base | {"value": None, "note": found.reason.words(language)}
    return base | {
        "value": _finite(found.value), "low": _finite(found.low), "high": _finite(found.high),
        "n": found.n, "unit": translate(found.unit, language), "floor": found.floor,
        "interval": translate(found.interval, language), "note": found.note.words(language),
    }  # fmt: skip


def _finite(number: float) -> float | None:
    return number if isfinite(number) else None
