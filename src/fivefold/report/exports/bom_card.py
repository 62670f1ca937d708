"""The model card inside a bill of materials."""

import json
from collections.abc import Mapping
from typing import Any

from fivefold.core.evidence import Evidence
from fivefold.core.text import Language
from fivefold.report.exports.facts import FACTS
from fivefold.report.exports.subject import Subject
from fivefold.report.number import finite
from fivefold.report.words import words

CONSIDERATIONS: Mapping[str, tuple[str, ...]] = {
    "users": ("users",),
    "useCases": ("intended_purpose",),
    "technicalLimitations": ("limits", "foreseeable_misuse"),
    "ethicalConsiderations": ("impact_assessment",),
    "fairnessAssessments": ("fairness",),
}


def properties(told: Mapping[str, str]) -> list[dict[str, str]]:
    """Return names with values as CycloneDX writes them; those without a value are left out."""
    return [{"name": name, "value": value} for name, value in told.items() if value]


def model_card(subject: Subject, data: str, language: Language) -> dict[str, Any]:
    """Return the model card of one stage.

    Args:
        subject: The model, with what its author states.
        data: Reference of the component that stands for the data.
        language: Language of the sentences that are not the author's.
    """
    card: dict[str, Any] = {"modelParameters": _parameters(subject, data)}
    if subject.stage.evidence:
        metrics = [_metric(e) for e in subject.stage.evidence]
        card["quantitativeAnalysis"] = {"performanceMetrics": metrics}
    if considered := _considerations(subject, language):
        card["considerations"] = considered
    told = _measured(subject, language) | _stated(subject)
    if told:
        card["properties"] = properties(told)
    return card


def _parameters(subject: Subject, data: str) -> dict[str, Any]:
    task, schema = subject.run.data.task, subject.run.data.schema
    model: Mapping[str, Any] = subject.run.recipe.get("model", {})
    kind = "table" if schema.is_table else "text" if schema.is_text else "image"
    shape = " x ".join(map(str, schema.shape))
    told: dict[str, Any] = {
        "task": task.kind,
        "datasets": [{"ref": data}],
        "inputs": [{"format": f"{kind} {shape}".strip()}],
        "outputs": [
            {"format": ", ".join(task.classes) if task.is_classification else task.unit or "number"}
        ],
    }
    if "audit" not in subject.run.recipe:  # of a model found as it is nobody knows how it learned
        told["approach"] = {"type": "supervised"}
    if model:
        told["architectureFamily"] = str(model.get("use", "")).rpartition(".")[2]
        told["modelArchitecture"] = json.dumps(model, ensure_ascii=False, sort_keys=True)
    return told


def _metric(evidence: Evidence) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": evidence.key,
        "value": str(evidence.value),
        "confidenceInterval": {
            "lowerBound": str(evidence.low),
            "upperBound": str(evidence.high),
        },
    }
    if evidence.name.startswith("worst_group"):
        told["slice"] = evidence.setting or "worst group"
    return told


def _measured(subject: Subject, language: Language) -> dict[str, str]:
    """Return what a metric of CycloneDX has no room for: how often, in which unit, how, and what to know."""
    return {
        f"fivefold:measured:{e.key}": json.dumps(
            {
                "value": finite(e.value),
                "n": e.n,
                "unit": e.unit,
                "better": e.better,
                "interval": e.interval,
                "note": words(e.note, language),
                "stage": subject.stage.name,
                "recipe_sha256": subject.recipe_hash(),
                "command": subject.command(),
            },
            ensure_ascii=False,
            sort_keys=True,
        )
        for e in subject.stage.evidence
    } | _unmeasured(subject, language)


def _unmeasured(subject: Subject, language: Language) -> dict[str, str]:
    told = [words(t, language) for t in FACTS["findings.unmeasured"].read(subject)]
    return {"fivefold:missing": "\n".join(told)}


def _stated(subject: Subject) -> dict[str, str]:
    return {
        f"fivefold:stated:{key}": json.dumps(
            {"words": s.words, "by": s.by, "when": s.when}, ensure_ascii=False, sort_keys=True
        )
        for key, s in subject.statements.answers.items()
    }


def _considerations(subject: Subject, language: Language) -> dict[str, Any]:
    """Return what the author states, and the trade-offs and the energy that were measured."""
    said = {key: s.words for key, s in subject.statements.answers.items()}
    found: dict[str, Any] = {}
    for place, keys in CONSIDERATIONS.items():
        if told := [said[key] for key in keys if key in said]:
            found[place] = told
    if "ethicalConsiderations" in found:
        risk = {"name": said["impact_assessment"]}
        if "risk_management" in said:
            risk["mitigationStrategy"] = said["risk_management"]
        found["ethicalConsiderations"] = [risk]
    if "fairnessAssessments" in found:
        found["fairnessAssessments"] = [{"harms": said["fairness"]}]
    if trades := [words(t, language) for t in FACTS["findings.trades"].read(subject)]:
        found["performanceTradeoffs"] = trades
    if energy := [e for e in subject.stage.evidence if e.name == "energy"]:
        told = {f"fivefold:measured:{e.key}": f"{e.value:g} {e.unit}" for e in energy}
        found["environmentalConsiderations"] = {"properties": properties(told)}
    return found
