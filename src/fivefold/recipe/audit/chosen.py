"""What an audit asks: the probes of a preset that fit, and a reason for each that cannot."""

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from fivefold.core.data import Dataset
from fivefold.core.errors import BadInput, no_text
from fivefold.core.evidence import Axis, Evidence, Finding, Missing
from fivefold.core.model import HasNet, Model
from fivefold.core.probe import Probe
from fivefold.core.text import Text, text
from fivefold.efficiency import Energy, Latency, Operations, Size
from fivefold.explanation import (
    Attributions,
    Completeness,
    Faithfulness,
    FaithfulnessCorrelation,
    Infidelity,
    ParameterRandomisation,
    Stability,
)
from fivefold.generalization import (
    Calibration,
    CorruptionAccuracy,
    QueryRobustness,
    RobustAccuracy,
    WorstGroup,
)
from fivefold.models.endpoint import EndpointModel
from fivefold.models.huggingface import TextClassifier
from fivefold.models.json_endpoint import JsonEndpoint
from fivefold.privacy import CanaryAudit, Epsilon, MembershipInference
from fivefold.recipe.audit.said import kind_of
from fivefold.recipe.presets import PRESETS, Preset
from fivefold.security import Detection, Extraction

Asked: TypeAlias = Probe | tuple[Finding, ...]
FULL_QUERIES, QUICK_QUERIES = 500, 100
CHEAP_FIRST: tuple[type[Probe], ...] = (
    *(Epsilon, Size, Operations, WorstGroup, Calibration, CanaryAudit, MembershipInference),
    *(Latency, Energy, CorruptionAccuracy, Extraction, QueryRobustness),
    *(Faithfulness, FaithfulnessCorrelation, Infidelity, Completeness, Stability),
    *(Detection, RobustAccuracy, Attributions, ParameterRandomisation),
)


class Known(NamedTuple):
    """What is known of the model beside its answers.

    `members` says whether the training split of the data is what the model was trained on; `stored` is the
    size of its file in bytes, 0 if nobody knows one.
    """

    model: Model
    data: Dataset
    members: bool
    stored: int = 0


def axes_of(names: Iterable[str]) -> tuple[Axis, ...]:
    """Return the axes called so; all of them if there is no name.

    Raises:
        BadInput: There is no such axis.
    """
    known = [a.value for a in Axis]
    for name in names:
        if name not in known:
            raise BadInput(
                "There is no axis {name}.",
                where="--axes",
                mend="There are: {known}.",
                name=name,
                known=", ".join(known),
            )
    return tuple(a for a in Axis if a.value in set(names)) or tuple(Axis)


def chosen(known: Known, preset: Preset, axes: tuple[Axis, ...]) -> list[Asked]:
    """Return what is asked, in the order of the report."""
    found: list[Asked] = []
    kind = known.data.task.kind
    for probe in PRESETS[preset]().probes:
        if probe.axis not in axes or kind not in probe.tasks:
            continue
        found.append(_withheld(probe, known) or probe)
        if isinstance(probe, RobustAccuracy) and _is_closed(known):
            found.append(_by_asking(probe, preset))
    return found


def in_turn(asked: list[Asked], *, is_closed: bool) -> list[int]:
    """Return the places of `asked` in the order of asking: cheap ones first, so that they are never lost.

    What needs the network of a closed model says so at once.
    """

    def rank(place: int) -> int:
        kind = type(asked[place])
        if is_closed and kind in (RobustAccuracy, Detection):
            return 0
        return CHEAP_FIRST.index(kind) + 1 if kind in CHEAP_FIRST else 0

    return sorted(range(len(asked)), key=rank)


def _is_closed(known: Known) -> bool:
    return known.data.task.is_classification and not isinstance(known.model, HasNet)


def _by_asking(like: RobustAccuracy, preset: Preset) -> QueryRobustness:
    return QueryRobustness(
        eps=like.eps,
        norm=like.norm,
        queries=FULL_QUERIES if preset == "full" else QUICK_QUERIES,
        examples=like.examples,
    )


def _withheld(probe: Probe, known: Known) -> tuple[Finding, ...]:
    """Return why a probe would measure something else than it says, if it would, and what is known without it."""
    if isinstance(probe, MembershipInference) and not known.members:
        why = text(
            "Nobody says which rows the model was trained on, so members cannot be told from others; name them with --train."
        )
        return tuple(
            Missing(axis=probe.axis, name=name, reason=why)
            for name in ("attack_auc", "tpr_at_1_percent_fpr")
        )
    if isinstance(probe, Epsilon) and not known.model.lineage:
        why = text(
            "Nothing is known of how this model was trained. Without a record of it no privacy loss can be claimed, and none can be ruled out."
        )
        return (Missing(axis=probe.axis, name="epsilon", reason=why),)
    if isinstance(probe, RobustAccuracy) and known.data.schema.is_text:
        return (Missing(axis=probe.axis, name="robust_accuracy", reason=no_text("Moving inputs a little").what),)  # fmt: skip
    if isinstance(probe, Energy) and isinstance(known.model, EndpointModel | JsonEndpoint):
        why = text(
            "The work is done by a server elsewhere; what this machine spends on asking says nothing of it."
        )
        return (Missing(axis=probe.axis, name="energy", reason=why),)
    if isinstance(probe, Size) and known.stored and not isinstance(known.model, HasNet):
        return _size(known, probe)
    return ()


def _size(known: Known, probe: Size) -> tuple[Finding, ...]:
    """Return what the files of a closed model show of its size."""
    note = text("Size of the file with the weights.")
    stored = _exact("saved_bytes", known.stored, "bytes", note)
    if isinstance(known.model, TextClassifier):
        return (_exact("parameters", known.model.n_parameters, "parameters", Text("")), stored)
    why = text(
        "{probe} counts weights, and a {model} does not show them.",
        probe=type(probe).__name__,
        model=kind_of(known.model),
    )
    return (Missing(axis=probe.axis, name="parameters", reason=why), stored)


def _exact(name: str, value: float, unit: str, note: Text) -> Evidence:
    return Evidence(
        axis=Axis.EFFICIENCY, name=name, value=value, low=value, high=value, n=1, unit=unit,
        better="lower", interval="exact", note=note,
    )  # fmt: skip
