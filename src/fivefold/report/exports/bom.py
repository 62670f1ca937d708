"""A bill of materials of a model: CycloneDX 1.6 (ECMA-424) with a model card, what was measured apart from what is stated."""

import hashlib
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from fivefold.core.jsonfile import to_json
from fivefold.core.text import Language
from fivefold.recipe.environment import PACKAGES
from fivefold.report.exports.bom_card import model_card, properties
from fivefold.report.exports.sheet import DISCLAIMER
from fivefold.report.exports.subject import Subject

SPECIFICATION = "1.6"
SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
MODEL, DATA = "model", "data"


def ml_bom(subject: Subject, language: Language = "en") -> dict[str, Any]:
    """Return the bill of materials of one stage as JSON can hold it; the same run gives the same bytes.

    Args:
        subject: The model, with what its author states.
        language: Language of the sentences that are not the author's.
    """
    libraries = _libraries(subject)
    content: dict[str, Any] = {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "version": 1,
        "metadata": _metadata(subject, language),
        "components": [_data(subject), *libraries],
        "dependencies": [
            {"ref": MODEL, "dependsOn": [DATA, *(str(c["bom-ref"]) for c in libraries)]},
            *({"ref": str(c["bom-ref"])} for c in (_data(subject), *libraries)),
        ],
    }
    digest = hashlib.sha256(to_json(content).encode()).hexdigest()
    return content | {"serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, digest)}"}


def _metadata(subject: Subject, language: Language) -> dict[str, Any]:
    fivefold = {"type": "application", "name": "fivefold"}
    if version := subject.run.environment.get("fivefold"):
        fivefold["version"] = version
    told: dict[str, Any] = {
        "tools": {"components": [fivefold]},
        "component": _model(subject, language),
        "properties": properties({"fivefold:disclaimer": DISCLAIMER.words(language)}),
    }
    return told | ({"timestamp": subject.run.created} if subject.run.created else {})


def _model(subject: Subject, language: Language) -> dict[str, Any]:
    files = [
        {"type": "file", "bom-ref": f"file:{name}", "name": name, "hashes": _hashes(digest)}
        for name, digest in subject.files()
    ]
    told: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": MODEL,
        "name": f"{subject.run.name}/{subject.stage.name}",
        "modelCard": model_card(subject, DATA, language),
        "properties": properties(
            {
                "fivefold:reproduce:recipe_sha256": subject.recipe_hash(),
                "fivefold:reproduce:command": subject.command(),
                "fivefold:stage": subject.stage.name,
                "fivefold:stage:key": subject.stage.key,
                "fivefold:bundle": subject.seal.words(language) if subject.seal else "",
            }
        ),
    }
    if answer := subject.statements.answers.get("version"):
        told["version"] = answer.words
    if answer := subject.statements.answers.get("intended_purpose"):
        told["description"] = answer.words
    if files:
        told |= {"hashes": files[0]["hashes"], "components": files}
    return told


def _data(subject: Subject) -> dict[str, Any]:
    card = subject.run.data
    facts = {
        "fivefold:measured:fingerprint": card.fingerprint,
        **{f"fivefold:measured:examples:{name}": str(n) for name, n in card.sizes.items()},
        **{f"fivefold:measured:class:{name}": str(n) for name, n in card.balance.items()},
    }
    dataset: dict[str, Any] = {"type": "dataset", "name": card.name}
    if facts:
        dataset["contents"] = {"properties": properties(facts)}
    if personal := [c.name for c in card.schema.columns if c.is_personal]:
        dataset["sensitiveData"] = personal
    return {"type": "data", "bom-ref": DATA, "name": card.name, "data": [dataset]}


def _libraries(subject: Subject) -> list[dict[str, Any]]:
    """Return the software that the numbers were made with."""
    versions, found = subject.run.environment, list[dict[str, Any]]()
    if python := versions.get("python"):
        found.append({"type": "platform", "bom-ref": "python", "name": "python", "version": python})
    for name in ("torch", *PACKAGES):
        if version := versions.get(name):
            purl = f"pkg:pypi/{name}@{quote(version, safe='')}"
            found.append(
                {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
            )
    return found


def _hashes(digest: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": digest}]
