"""The detector that ships with a model, and how much it is worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Generator

from fivefold.core.data import Seen, Splits
from fivefold.core.errors import Damaged, NotMeasurable
from fivefold.core.evidence import Axis, Finding, Missing
from fivefold.core.jsonfile import from_json, to_json
from fivefold.core.model import Model
from fivefold.security.detection import Detection
from fivefold.security.detector import FittedMahalanobis, Mahalanobis

ABOUT = "guard.json"
WEIGHTS = "guard.safetensors"
RATES = (0.02, 0.05)  # of false alarms; the first that the validation split is large enough for
MOST_ATTACKED = 100


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
    model: Model, seen: Seen, findings: tuple[Finding, ...] = (), *, fpr: float | None = None
) -> Mapping[str, str | bytes]:
    """Return the files of a detector fitted to `model`; none if it cannot have one.

    A model that claims differential privacy gets none: means and covariance of its training rows would
    break the claim.

    Args:
        model: The model that ships.
        seen: What it was trained on.
        findings: What was measured of it; what does not speak of this detector is left out.
        fpr: Share of ordinary examples that may raise the alarm; `rate_for(seen)` if not given.
    """
    from safetensors.torch import save

    fpr = rate_for(seen) if fpr is None else fpr
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


def rate_for(seen: Seen) -> float:
    """Return the smallest rate of false alarms that a threshold can be set for on the validation split."""
    return next((rate for rate in RATES if seen.valid.size >= 1 / rate - 1), RATES[-1])


def guard_findings(model: Model, splits: Splits, *, rng: Generator) -> tuple[Finding, ...]:
    """Return what the detector of `guard_papers` is worth: attackers who do not know it, and who do.

    Nothing for a model that can have none.
    """
    if not guard_papers(model, splits.seen):
        return ()
    probe = Detection(fpr=rate_for(splits.seen), n_examples=MOST_ATTACKED)
    try:
        return tuple(probe(model, splits, rng=rng))
    except NotMeasurable as error:
        return (Missing(axis=Axis.SECURITY, name="detection", reason=error.what),)


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
    """Return the findings that speak of a detector with this rate of false alarms."""
    noticed = f"tpr_at_{100 * fpr:g}_percent_fpr".replace(".", "_")
    alarms = ("false_positive_rate", f"nominal {fpr:g}")
    return tuple(
        f
        for f in findings
        if f.axis == Axis.SECURITY and (f.name == noticed or (f.name, f.setting) == alarms)
    )
