"""The detector that ships with a model, and how much it is worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fivefold.core.data import Seen
from fivefold.core.errors import Damaged, NotMeasurable
from fivefold.core.evidence import Evidence, Finding
from fivefold.core.jsonfile import from_json, to_json
from fivefold.core.model import Model
from fivefold.security.detector import FittedMahalanobis, Mahalanobis

ABOUT = "guard.json"
WEIGHTS = "guard.safetensors"
FPR = 0.05  # what security.Detection measures by default


@dataclass(frozen=True, kw_only=True)
class Guard:
    """What is known of a detector.

    Attributes:
        kind: How it detects.
        threshold: A score above it raises the alarm.
        fpr: Share of ordinary examples that the threshold was set to alarm on.
        findings: What `security.Detection` measured of it: static, adaptive, false alarms.
    """

    kind: str
    threshold: float
    fpr: float
    findings: tuple[Finding, ...] = ()


def guard_papers(
    model: Model, seen: Seen, findings: tuple[Finding, ...] = (), *, fpr: float = FPR
) -> Mapping[str, str | bytes]:
    """Return the files of a detector fitted to `model`; none if it cannot have one.

    A model that claims differential privacy gets none: means and covariance of its training rows would
    break the claim.

    Args:
        model: The model that ships.
        seen: What it was trained on.
        findings: What was measured of it; what does not speak of this detector is left out.
        fpr: Share of ordinary examples that may raise the alarm.
    """
    from safetensors.torch import save

    if any(record.claim.privacy for record in model.lineage):
        return {}
    try:
        fitted = Mahalanobis().fit(model, seen, fpr=fpr)
    except NotMeasurable:
        return {}
    guard = Guard(
        kind="mahalanobis", threshold=fitted.threshold, fpr=fpr, findings=_about(findings, fpr)
    )
    weights = save({"means": fitted.means.contiguous(), "whiten": fitted.whiten.contiguous()})
    return {ABOUT: to_json(guard), WEIGHTS: weights}


def read_guard(folder: Path) -> tuple[Guard, FittedMahalanobis] | None:
    """Return the detector of a bundle that has been verified, or None.

    Raises:
        Damaged: It is not what was written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    if not (folder / ABOUT).is_file():
        return None
    guard = from_json((folder / ABOUT).read_text(encoding="utf-8"), Guard, where=ABOUT)
    try:
        tensors = load((folder / WEIGHTS).read_bytes())
        fitted = FittedMahalanobis(tensors["means"], tensors["whiten"], guard.threshold)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise Damaged(
            "This file is not as it was written.",
            where=WEIGHTS,
            mend="Get the folder again from its source.",
        ) from error
    return guard, fitted


def _about(findings: tuple[Finding, ...], fpr: float) -> tuple[Finding, ...]:
    noticed = f"tpr_at_{100 * fpr:g}_percent_fpr".replace(".", "_")
    return tuple(
        f
        for f in findings
        if isinstance(f, Evidence)
        and f.axis == "security"
        and (
            f.name == noticed or (f.name, f.setting) == ("false_positive_rate", f"nominal {fpr:g}")
        )
    )
