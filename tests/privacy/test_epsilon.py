"""The guarantee is read from the history, and one plain step voids it."""

from dataclasses import dataclass, replace
from math import inf

import pytest
from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent
from dp_accounting.pld import PLDAccountant

from fivefold.core.evidence import Evidence
from fivefold.core.lineage import Claim, Record
from fivefold.core.schema import Schema
from fivefold.core.step import Step
from fivefold.learning import Finetune
from fivefold.models import MLP, fresh
from fivefold.privacy import DPSGD, Epsilon
from fivefold.privacy.plan import plan_of
from fivefold.recipe.walk import apply
from seeding import seeded

QUICK = DPSGD(noise_multiplier=2.0, rate=0.1, steps=10)


def found(model, splits, **given):
    (one,) = Epsilon(**given)(model, splits, rng=seeded())
    assert isinstance(one, Evidence)
    assert one.low <= one.value <= one.high
    return one


def after(model, table, **steps):
    for name, step in steps.items():
        model = apply(step, name, model, table.splits.seen, seeded(1))
    return model


def claiming(model, *privacies, data="d"):
    records = [Record(f"s{i}", {}, data, Claim(privacy=p)) for i, p in enumerate(privacies)]
    return model.with_lineage((*model.lineage, *records))


def by_hand(parts, delta):
    accountant = PLDAccountant(value_discretization_interval=1e-4)
    for rate, noise, steps in parts:
        accountant.compose(PoissonSampledDpEvent(rate, GaussianDpEvent(noise)), steps)
    return accountant.get_epsilon(delta)


def test_a_model_that_never_saw_data_has_epsilon_zero(untrained, table):
    one = found(untrained, table.splits)
    assert (one.value, one.low, one.high, one.interval) == (0.0, 0.0, 0.0, "exact")


def test_a_private_step_costs_what_its_plan_says(untrained, table):
    one = found(after(untrained, table, private=QUICK), table.splits)
    assert one.value == one.high == QUICK.plan(250).epsilon()
    assert one.low == 0.0
    assert (one.setting, one.interval) == ("delta 0.0001", "PLD upper bound")
    assert "q = 0.1, σ = 2" in str(one.note)
    assert "hyperparameters" in str(one.note)


def test_private_steps_are_composed(untrained, table):
    other = replace(QUICK, noise_multiplier=1.0, rate=0.2)
    one = found(after(untrained, table, a=QUICK, b=other), table.splits)
    assert one.value == pytest.approx(by_hand([(0.1, 2.0, 10), (0.2, 1.0, 10)], 1e-4), rel=2e-3)
    assert one.value > max(QUICK.plan(250).epsilon(), other.plan(250).epsilon())


def test_other_data_may_hold_the_same_people(untrained, table):
    private = dict(QUICK.claim(250).privacy)
    twice = claiming(claiming(untrained, private, data="a"), private, data="b")
    one = found(twice, table.splits)
    assert one.value == pytest.approx(by_hand([(0.1, 2.0, 20)], 1e-4), rel=2e-3)
    assert "same people" in str(one.note)


def test_plain_training_afterwards_voids_it(untrained, table):
    one = found(after(untrained, table, private=QUICK, plain=Finetune(epochs=1)), table.splits)
    assert one.value == one.low == one.high == inf
    assert "plain" in str(one.note)


def test_plain_training_before_voids_it_too(untrained, table):
    assert (
        found(after(untrained, table, plain=Finetune(epochs=1), b=QUICK), table.splits).value == inf
    )


def test_a_step_without_data_costs_nothing(untrained, table):
    @dataclass(frozen=True)
    class Rename(Step):
        def __call__(self, model, seen, *, rng):
            assert seen.train.size == 0
            return model

        def claim(self, n_examples):
            return Claim(reads_data=False)

    assert found(after(untrained, table, a=Rename()), table.splits).value == 0.0
    one = found(after(untrained, table, private=QUICK, a=Rename()), table.splits)
    assert one.value == QUICK.plan(250).epsilon()


def test_scaling_by_statistics_of_the_rows_voids_it(table):
    columns = [replace(c, is_observed=True) for c in table.schema.columns]
    data = table._replace(schema=Schema(columns=tuple(columns), shape=(6,)))
    one = found(after(fresh(MLP(), data, seeded()), table, private=QUICK), table.splits)
    assert one.value == inf
    assert "schema" in str(one.note)


def test_noise_from_a_known_seed_is_no_noise(untrained, table):
    one = found(after(untrained, table, private=replace(QUICK, insecure_seed=1)), table.splits)
    assert one.value == inf
    assert "private" in str(one.note)
    assert "seed" in str(one.note)


@pytest.mark.parametrize(
    "changed",
    [{"mechanism": "magic"}, {"noise_multiplier": 0.0}, {"noise_multiplier": float("nan")}, {"rate": -1},
     {"steps": "many"}, {"delta": 7.0}, {"seeded": None}, {"seeded": "no"}, {"unit": "batch"}],
)  # fmt: skip
def test_a_claim_that_is_not_understood_counts_as_none(changed, untrained, table):
    good = dict(QUICK.claim(250).privacy)
    assert found(claiming(untrained, good), table.splits).value < inf
    assert found(claiming(untrained, good | changed), table.splits).value == inf
    assert (
        found(
            claiming(untrained, {k: v for k, v in good.items() if k not in changed}), table.splits
        ).value
        == inf
    )


def test_without_a_history_there_is_no_guarantee(untrained, table):
    assert found(untrained.with_lineage(()), table.splits).value == inf


def test_delta_is_the_smallest_declared_or_the_one_asked_for(untrained, table):
    model = after(untrained, table, a=replace(QUICK, delta=1e-3), b=replace(QUICK, delta=1e-6))
    one, asked = found(model, table.splits), found(model, table.splits, delta=1e-3)
    assert one.setting == "delta 1e-06"
    assert asked.setting == "delta 0.001"
    assert asked.value < one.value


def test_a_calibrated_step_stays_below_its_target(untrained, table):
    private = dict(DPSGD(epsilon=2.0).claim(250).privacy)
    assert plan_of(private) is not None
    assert 1.95 <= found(claiming(untrained, private), table.splits).value <= 2.0
