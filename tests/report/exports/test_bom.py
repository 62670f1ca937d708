"""The bill of materials fits the official schema, keeps what is measured apart, and repeats bit for bit."""

import hashlib
import json
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest
from jsonschema import Draft7Validator, FormatChecker
from referencing import Registry, Resource

from fivefold.core.jsonfile import to_json
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.core.text import Language, text
from fivefold.report.exports import ml_bom, subject_of

HOME = Path(__file__).parent / "cyclonedx"
BASE = "http://cyclonedx.org/schema/"


@pytest.fixture(scope="session")
def official() -> Draft7Validator:
    told = {p.name: json.loads(p.read_text(encoding="utf-8")) for p in HOME.glob("*.schema.json")}
    known = Registry().with_resources(
        [(BASE + n, Resource.from_contents(t)) for n, t in told.items()]
    )
    main = told["bom-1.6.SNAPSHOT.schema.json"]
    return Draft7Validator(main, registry=known, format_checker=FormatChecker())


def written(subject, language: Language = "en"):
    return json.loads(to_json(ml_bom(subject, language)))


def properties(of) -> dict[str, str]:
    return {p["name"]: p["value"] for p in of["properties"]}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_fits_the_official_schema(official, subject, stated, empty, hostile, language):
    for of in (subject, stated, empty, hostile):
        assert [e.message for e in official.iter_errors(written(of, language))] == []


def test_a_run_with_everything_fits_the_official_schema(official, run):
    for stage in run.stages:
        assert official.is_valid(written(subject_of(run, stage.name)))


def test_the_official_schema_is_not_blind(official, stated):
    told = written(stated)
    card = told["metadata"]["component"]["modelCard"]
    for place, key, wrong in (
        (told, "specVersion", 1.6),
        (told, "serialNumber", "urn:uuid:1"),
        (told["metadata"]["component"], "type", "model"),
        (card["quantitativeAnalysis"]["performanceMetrics"][0], "value", 0.5),
        (card, "considered", {}),
    ):
        before = place.get(key)
        place[key] = wrong
        assert not official.is_valid(told)
        if before is None:
            del place[key]
        else:
            place[key] = before
    assert official.is_valid(told)


def test_the_model_has_the_hashes_of_its_files(subject):
    model = written(subject)["metadata"]["component"]
    folder = subject.run.folder / "stages/01-plain"
    files = {f["name"]: f["hashes"][0]["content"] for f in model["components"]}
    assert set(files) == {"model.safetensors", "model.json"}
    for name, digest in files.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert model["hashes"] == [{"alg": "SHA-256", "content": files["model.safetensors"]}]


def test_every_number_has_its_bounds_and_its_count(subject):
    card = written(subject)["metadata"]["component"]["modelCard"]
    metrics = {m["type"]: m for m in card["quantitativeAnalysis"]["performanceMetrics"]}
    beside = properties(card)
    for e in subject.stage.evidence:
        shown = metrics[e.key]
        bounds = shown["confidenceInterval"]
        assert float(shown["value"]) == e.value
        assert (float(bounds["lowerBound"]), float(bounds["upperBound"])) == (e.low, e.high)
        told = json.loads(beside[f"fivefold:measured:{e.key}"])
        assert (told["n"], told["stage"]) == (e.n, "plain")
        assert told["recipe_sha256"] == subject.recipe_hash()
    assert inf in {float(m["value"]) for m in metrics.values()}


def test_a_group_is_a_slice(run):
    card = written(subject_of(run, "robust"))["metadata"]["component"]["modelCard"]
    metrics = card["quantitativeAnalysis"]["performanceMetrics"]
    assert [m["type"] for m in metrics if "slice" in m] == ["generalization.worst_group_accuracy"]
    assert "performanceTradeoffs" in card["considerations"]
    assert "fivefold:measured:efficiency.energy" in properties(card["considerations"]["environmentalConsiderations"])  # fmt: skip


def test_what_is_stated_stands_apart(subject, stated):
    before = written(subject)["metadata"]["component"]["modelCard"]
    after = written(stated)["metadata"]["component"]["modelCard"]
    assert not any(n.startswith("fivefold:stated") for n in properties(before))
    assert "considerations" not in before
    told = json.loads(properties(after)["fivefold:stated:limits"])
    assert told == {"words": "words on limits", "by": "Ada", "when": ""}
    considered = after["considerations"]
    assert considered["useCases"] == ["words on intended_purpose"]
    assert considered["technicalLimitations"] == ["words on limits", "words on foreseeable_misuse"]
    assert considered["ethicalConsiderations"] == [{"name": "words on impact_assessment", "mitigationStrategy": "words on risk_management"}]  # fmt: skip
    assert before["quantitativeAnalysis"] == after["quantitativeAnalysis"]


def test_what_was_not_measured_is_told(subject):
    card = written(subject)["metadata"]["component"]["modelCard"]
    assert "blind" in properties(card)["fivefold:missing"]


def test_the_data_are_known_by_their_fingerprint_and_hold_no_row(official, subject):
    columns = (Column(name="name", is_personal=True), Column(name="age"))
    card = replace(subject.run.data, schema=Schema(columns=columns, shape=(2,)))
    of = subject._replace(run=replace(subject.run, data=card))
    told = written(of)
    data = next(c for c in told["components"] if c["type"] == "data")
    inside = data["data"][0]
    assert properties(inside["contents"])["fivefold:measured:fingerprint"] == card.fingerprint
    assert inside["sensitiveData"] == ["name"]
    parameters = told["metadata"]["component"]["modelCard"]["modelParameters"]
    assert parameters["datasets"] == [{"ref": data["bom-ref"]}]
    assert official.is_valid(told)


def test_a_number_as_target_fits_too(official, subject):
    card = replace(subject.run.data, task=Task(kind="regression", target="dose", unit="mg"))
    told = written(subject._replace(run=replace(subject.run, data=card)))
    assert told["metadata"]["component"]["modelCard"]["modelParameters"]["outputs"] == [{"format": "mg"}]  # fmt: skip
    assert official.is_valid(told)


def test_every_reference_leads_somewhere(stated):
    told = written(stated)
    model = told["metadata"]["component"]
    known = [model["bom-ref"], *(c["bom-ref"] for c in told["components"])]
    assert len(set(known)) == len(known)
    links = {d["ref"]: d.get("dependsOn", []) for d in told["dependencies"]}
    assert set(links) == set(known)
    assert set(links["model"]) == set(known) - {"model"}
    torch = next(c for c in told["components"] if c["name"] == "torch")
    assert torch["version"] == stated.run.environment["torch"]
    assert "+" not in torch["purl"]


def test_the_serial_number_comes_from_the_content(subject):
    first, again = written(subject), written(subject)
    assert first == again
    changed = subject._replace(seal=text("{told}", told="sealed"))
    assert written(changed)["serialNumber"] != first["serialNumber"]


def test_how_a_found_model_learned_is_not_claimed(subject):
    def approach(of):
        return written(of)["metadata"]["component"]["modelCard"]["modelParameters"].get("approach")

    found = replace(subject.run, recipe={**subject.run.recipe, "audit": {"model": "m.onnx"}})
    assert approach(subject) == {"type": "supervised"}
    assert approach(subject._replace(run=found)) is None
