"""Promises every probe and comparison keeps."""

import inspect
from dataclasses import fields
from importlib import import_module

import pytest
import torch

from fivefold.core.codec import decode, encode, name_of
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Evidence
from fivefold.core.find import find
from fivefold.core.fingerprint import of_batch, of_state
from fivefold.core.probe import Comparison, Probe
from seeding import seeded

PILLARS = ("learning", "explanation", "privacy", "generalization", "efficiency", "security")
PROBES = [p for x in PILLARS for p in find(Probe, import_module(f"fivefold.{x}"))]
COMPARISONS = [p for x in PILLARS for p in find(Comparison, import_module(f"fivefold.{x}"))]
ALL = PROBES + COMPARISONS
READS_A_CLOCK = {"efficiency.Latency", "efficiency.Energy", "efficiency.Speedup"}


def measure(kind, model, splits, seed=1):
    if issubclass(kind, Probe):
        return kind()(model, splits, rng=seeded(seed))
    return kind()(model, model, splits, rng=seeded(seed))


@pytest.mark.parametrize("kind", ALL, ids=name_of)
def test_changes_nothing_and_repeats(kind, trained, table):
    before, data = of_state(trained.net.state_dict()), of_batch(table.splits.test)
    state = torch.random.get_rng_state()
    first = measure(kind, trained, table.splits)
    assert of_state(trained.net.state_dict()) == before
    assert of_batch(table.splits.test) == data
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(p.grad is None for p in trained.net.parameters())
    if name_of(kind) not in READS_A_CLOCK:
        assert first == measure(kind, trained, table.splits)


@pytest.mark.parametrize("kind", ALL, ids=name_of)
def test_speaks_of_its_own_axis(kind, trained, table):
    package = kind.__module__.split(".")[1]
    assert kind.axis == package
    found = measure(kind, trained, table.splits)
    assert found
    assert {f.axis for f in found} == {package}
    assert len({f.key for f in found}) == len(found)


@pytest.mark.parametrize("kind", ALL, ids=name_of)
@pytest.mark.parametrize("which", ["table", "images", "numbers"])
def test_measures_every_kind_of_data_or_says_why_not(kind, which, request):
    data = request.getfixturevalue(which)
    model = request.getfixturevalue(
        {"table": "trained", "images": "trained_images"}.get(which, "trained_numbers")
    )
    try:
        found = measure(kind, model, data.splits)
    except NotMeasurable as error:
        assert error.what
        return
    for one in found:
        if isinstance(one, Evidence):
            assert one.low <= one.value <= one.high
            assert one.unit
            assert one.interval
        else:
            assert one.reason


@pytest.mark.parametrize("kind", ALL, ids=name_of)
def test_documents_each_field(kind):
    doc = inspect.getdoc(kind) or ""
    assert [f.name for f in fields(kind) if f"{f.name}:" not in doc] == []


@pytest.mark.parametrize("kind", ALL, ids=name_of)
def test_survives_the_recipe_file(kind):
    base = Probe if issubclass(kind, Probe) else Comparison
    assert decode(encode(kind()), base) == kind()


@pytest.mark.parametrize("kind", ALL, ids=name_of)
def test_is_exported_by_its_package(kind):
    assert getattr(import_module(kind.__module__.rpartition(".")[0]), kind.__name__) is kind
