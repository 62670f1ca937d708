"""Promises every step keeps. A new file in a pillar is found by looking, not by listing."""

import inspect
from dataclasses import fields, replace
from importlib import import_module

import pytest
import torch

from fivefold.core.codec import decode, encode, name_of
from fivefold.core.find import find
from fivefold.core.fingerprint import of_batch, of_state
from fivefold.core.lineage import claim_of
from fivefold.core.model import HasNet
from fivefold.core.step import Step
from seeding import seeded

PILLARS = ("learning", "explanation", "privacy", "generalization", "efficiency", "security")
STEPS = [s for p in PILLARS for s in find(Step, import_module(f"fivefold.{p}"))]


def repeatable(step: type[Step]) -> Step:
    """Return the step as it is by default; one with secret noise gets a known seed."""
    made = step()
    return replace(made, insecure_seed=1) if hasattr(made, "insecure_seed") else made  # type: ignore[type-var]


@pytest.mark.parametrize("step", STEPS, ids=name_of)
def test_leaves_its_input_alone_and_repeats(step, trained, table):
    before, data = of_state(trained.net.state_dict()), of_batch(table.splits.seen.train)
    a = repeatable(step)(trained, table.splits.seen, rng=seeded(1))
    b = repeatable(step)(trained, table.splits.seen, rng=seeded(1))
    assert of_state(trained.net.state_dict()) == before
    assert of_batch(table.splits.seen.train) == data
    assert torch.equal(a.predict(table.splits.test.x), b.predict(table.splits.test.x))
    if isinstance(a, HasNet):
        assert not a.net.training


@pytest.mark.parametrize("step", STEPS, ids=name_of)
def test_does_not_touch_global_randomness(step, trained, table):
    before = torch.random.get_rng_state()
    repeatable(step)(trained, table.splits.seen, rng=seeded(1))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("step", STEPS, ids=name_of)
def test_documents_each_field(step):
    doc = inspect.getdoc(step) or ""
    assert [f.name for f in fields(step) if f"{f.name}:" not in doc] == []


@pytest.mark.parametrize("step", STEPS, ids=name_of)
def test_survives_the_recipe_file(step):
    assert decode(encode(step()), Step) == step()


@pytest.mark.parametrize("step", STEPS, ids=name_of)
def test_is_exported_by_its_package(step):
    assert getattr(import_module(step.__module__.rpartition(".")[0]), step.__name__) is step


@pytest.mark.parametrize("step", STEPS, ids=name_of)
def test_a_step_that_claims_not_to_read_data_needs_none(step, trained, table):
    made = repeatable(step)
    if claim_of(made, 250).reads_data:
        return
    seen = table.splits.seen
    none = seen._replace(train=seen.train.take(slice(0, 0)), valid=seen.valid.take(slice(0, 0)))
    made(trained, none, rng=seeded())
