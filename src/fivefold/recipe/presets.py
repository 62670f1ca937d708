"""Sets of probes: `quick` for every run, `full` before a release."""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, TypeAlias

from fivefold.core.probe import Comparison, Probe
from fivefold.efficiency import Energy, Latency, Operations, Size, Speedup
from fivefold.explanation import (
    AttributionDrift,
    Attributions,
    Completeness,
    Faithfulness,
    FaithfulnessCorrelation,
    Infidelity,
    ParameterRandomisation,
    Stability,
)
from fivefold.generalization import Calibration, CorruptionAccuracy, RobustAccuracy, WorstGroup
from fivefold.learning import AUC, F1, R2, RMSE, Accuracy
from fivefold.privacy import CanaryAudit, Epsilon, MembershipInference
from fivefold.security import Detection, Extraction

Preset: TypeAlias = Literal["quick", "full", "none"]


class ProbeSet(NamedTuple):
    """Probes of one model, and comparisons of two."""

    probes: tuple[Probe, ...]
    comparisons: tuple[Comparison, ...]


def quick() -> ProbeSet:
    """Return probes of all five axes that take seconds on a small model."""
    return ProbeSet(
        (
            Accuracy(),
            R2(),
            RMSE(),
            Faithfulness(n_rows=24, n_background=8),
            Stability(n_rows=8, n_background=8, n_changes=2),
            Attributions(n_rows=24, n_background=8),
            Epsilon(),
            CanaryAudit(canaries=300, strange_rows=0, steps=60),
            MembershipInference(n_shadow=4, n_examples=500),
            RobustAccuracy(examples=200, queries=50),
            CorruptionAccuracy(examples=200, resamples=300),
            Calibration(),
            WorstGroup(),
            Size(),
            Latency(seconds=0.5),
            Energy(),
            Detection(n_examples=100, steps=10),
            Extraction(n_queries=500, epochs=10),
        ),
        (AttributionDrift(n_rows=16, n_background=8), Speedup(repeats=60)),
    )


def full() -> ProbeSet:
    """Return all probes, with the budgets that a decision deserves."""
    return ProbeSet(
        (
            Accuracy(),
            F1(),
            AUC(),
            R2(),
            RMSE(),
            Faithfulness(n_rows=200),
            Stability(n_rows=50, n_changes=5),
            Attributions(n_rows=200),
            FaithfulnessCorrelation(n_rows=100),
            Infidelity(n_rows=100),
            Completeness(n_rows=100),
            ParameterRandomisation(n_rows=50, n_background=16, n_draws=10),
            Epsilon(),
            CanaryAudit(),
            MembershipInference(n_shadow=32, n_examples=10_000),
            RobustAccuracy(examples=1000, steps=50, restarts=5, queries=1000),
            CorruptionAccuracy(examples=5000),
            Calibration(),
            WorstGroup(),
            Size(),
            Operations(),
            Latency(),
            Energy(seconds=2.0),
            Detection(n_examples=1000, steps=50),
            Extraction(n_queries=2000),
        ),
        (AttributionDrift(n_rows=100), Speedup()),
    )


def none() -> ProbeSet:
    """Return no probes: the recipe names its own."""
    return ProbeSet((), ())


PRESETS: Mapping[Preset, Callable[[], ProbeSet]] = {"quick": quick, "full": full, "none": none}
