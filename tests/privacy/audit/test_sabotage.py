"""Broken private training is exposed at a claim of epsilon 1, and right training is not accused."""

import pytest

from fivefold.core.evidence import Evidence
from fivefold.models import MLP, fresh
from fivefold.privacy import DPSGD, CanaryAudit
from fivefold.recipe.walk import apply
from sabotaged import sabotage
from seeding import seeded

STEP = DPSGD(epsilon=1.0, delta=1e-5, steps=80)
AUDIT = CanaryAudit(canaries=400, strange_rows=64)
SABOTAGES = (
    "noise off",
    "noise once per epoch",
    "same noise all epoch",
    "batch gradient clipped",
    "unclipped body.0",
    "unclipped head",
    "one use counted",
    "gradient of the mean loss",
)


@pytest.fixture(scope="module")
def private(table):
    """A model whose history claims epsilon 1; how it was trained makes no difference to the audit."""
    model = fresh(MLP(hidden=(64,)), table, seeded())
    return apply(STEP, "private", model, table.splits.seen, seeded())


def found(audit, model, table, seed=0):
    told = audit(model, table.splits, rng=seeded(seed))
    return {f.name: f for f in told if isinstance(f, Evidence)}


@pytest.mark.parametrize("name", SABOTAGES)
def test_sabotage_is_exposed(name, private, table):
    with sabotage(name):
        told = found(CanaryAudit(canaries=400, strange_rows=0), private, table)
    assert told["audited_epsilon"].value > STEP.plan(250).epsilon()
    assert told["epsilon_excess"].value > 0
    assert "The claim is false" in str(told["epsilon_excess"].note)


def test_canaries_in_rows_alone_show_that_noise_is_off(private, table):
    """They pass through the layers themselves, so they show what canaries in weights go around."""
    with sabotage("noise off"):
        told = found(CanaryAudit(canaries=16, strange_rows=64), private, table)
    assert told["epsilon_excess"].value > 0


@pytest.mark.parametrize("seed", range(3))
def test_right_training_is_not_accused(seed, private, table):
    assert found(AUDIT, private, table, seed)["epsilon_excess"].value == 0.0


@pytest.mark.slow
def test_right_training_stays_within_its_bound_in_48_of_50_runs(private, table):
    over = [found(AUDIT, private, table, seed)["epsilon_excess"].value > 0 for seed in range(50)]
    assert sum(over) <= 2


@pytest.mark.slow
def test_an_audit_of_nearly_public_training_comes_near_its_claim(table):
    """The audit has power without sabotage: much of a large epsilon is found."""
    step = DPSGD(epsilon=8.0, delta=1e-5, steps=40)
    model = fresh(MLP(hidden=(64,)), table, seeded())
    model = apply(step, "private", model, table.splits.seen, seeded())
    told = found(AUDIT, model, table)
    assert 0.5 < told["audited_epsilon"].value <= step.plan(250).epsilon()
