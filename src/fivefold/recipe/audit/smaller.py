"""The same probe with less work, for when the time is short."""

from collections.abc import Mapping
from dataclasses import is_dataclass, replace
from typing import Any

from fivefold.core.probe import Probe
from fivefold.efficiency import Energy, Latency
from fivefold.explanation import (
    Attributions,
    Completeness,
    Faithfulness,
    FaithfulnessCorrelation,
    Infidelity,
    LeverageSHAP,
    ParameterRandomisation,
    Stability,
)
from fivefold.generalization import (
    Calibration,
    CorruptionAccuracy,
    QueryRobustness,
    RobustAccuracy,
)
from fivefold.privacy import MembershipInference
from fivefold.security import Detection, Extraction

# What a probe's work grows with, and the least that still says something.
SIZES: Mapping[type[Probe], tuple[str, int]] = {
    Faithfulness: ("n_rows", 6),
    Stability: ("n_rows", 4),
    Attributions: ("n_rows", 10),
    FaithfulnessCorrelation: ("n_rows", 6),
    Infidelity: ("n_rows", 6),
    Completeness: ("n_rows", 6),
    ParameterRandomisation: ("n_rows", 4),
    MembershipInference: ("n_examples", 100),
    RobustAccuracy: ("examples", 25),
    QueryRobustness: ("examples", 25),
    CorruptionAccuracy: ("examples", 50),
    Calibration: ("resamples", 100),
    Detection: ("n_examples", 25),
    Extraction: ("n_queries", 100),
}
LEAST_SETS = 256  # of an explainer
LEAST_SECONDS = 0.02


def smaller(probe: Probe, share: float) -> Probe | None:
    """Return `probe` with about `share` of its work; None if it cannot be made smaller."""
    if share >= 1 or type(probe) not in SIZES:
        return None
    name, least = SIZES[type(probe)]
    full = getattr(probe, name)
    changed: dict[str, Any] = {name: max(min(least, full), int(full * share))}
    explainer = getattr(probe, "explainer", None)
    if (
        isinstance(explainer, LeverageSHAP) and changed[name] > full * share
    ):  # rows are at their least
        left = share * full / changed[name]
        budget = max(min(LEAST_SETS, explainer.budget), int(explainer.budget * left))
        changed["explainer"] = replace(explainer, budget=budget)
    made = _changed(probe, changed)
    return None if made == probe else made


def hurried(probe: Probe, seconds: float) -> Probe:
    """Return a probe that times calls, told to be done within `seconds`; any other as it is."""
    if isinstance(probe, Latency):
        each = max(LEAST_SECONDS, seconds / (2 * len(probe.batches)))
        return probe if each >= probe.seconds else replace(probe, seconds=each, warmup=2)
    if isinstance(probe, Energy) and seconds / 2 < probe.seconds:
        return replace(probe, seconds=max(LEAST_SECONDS, seconds / 2), warmup=1)
    return probe


def size_of(probe: Probe) -> tuple[str, int]:
    """Return what the work of a probe grows with, and how much of it there is."""
    name = SIZES[type(probe)][0]
    return name, int(getattr(probe, name))


def work_of(probe: Probe) -> float:
    """Return how much work a probe is, in a unit of its own class."""
    explainer = getattr(probe, "explainer", None)
    sets = explainer.budget if isinstance(explainer, LeverageSHAP) else 1
    return float(size_of(probe)[1] * sets)


def _changed(probe: Probe, fields: Mapping[str, Any]) -> Probe:
    assert is_dataclass(probe)
    return replace(probe, **fields)
