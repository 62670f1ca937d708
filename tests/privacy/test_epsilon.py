"""The guarantee is read from the history, and one plain step voids it."""

from dataclasses import dataclass, replace
from math import inf

import pytest
from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent
from dp_accounting.pld import PLDAccountant

from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Evidence
from fivefold.core.lineage import Claim, Record
from fivefold.core.schema import Schema
from fivefold.core.step import Step
from fivefold.learning import Finetune
from fivefold.models import MLP, fresh
from fivefold.privacy import DPSGD, Epsilon
from fivefold.privacy.accounting import Part, bound, renyi_epsilon
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


def by_mixture(parts, delta, people):
    """Several examples of one person: as many are in a batch as a binomial says."""
    from dp_accounting.dp_event import MixtureOfGaussiansDpEvent
    from scipy.stats import binom

    accountant = PLDAccountant(value_discretization_interval=1e-3)
    counts = [float(i) for i in range(people + 1)]
    for rate, noise, steps in parts:
        chances = [float(binom.pmf(i, people, rate)) for i in range(people + 1)]
        accountant.compose(MixtureOfGaussiansDpEvent(noise, counts, chances), steps)
    return accountant.get_epsilon(delta)


def test_a_person_with_several_examples_loses_more(untrained, table):
    model = after(untrained, table, private=QUICK)
    three = found(model, table.splits, per_person=3)
    assert three.value == pytest.approx(by_mixture([(0.1, 2.0, 10)], 1e-4, 3), rel=5e-3)
    assert found(model, table.splits).value * 3 < three.value * 1.5
    assert "3 examples per person" in three.setting
    assert "3 examples of one person" in str(three.note)


def test_a_group_in_every_batch_is_a_gaussian_of_its_size():
    one = bound([Part(1.0, 8.0, 4)], 1e-5, group=4).epsilon
    assert one == pytest.approx(bound([Part(1.0, 2.0, 4)], 1e-5).epsilon, rel=1e-3)


def test_a_group_never_loses_less_than_one_of_it():
    parts = [Part(0.2, 1.5, 20), Part(0.05, 1.0, 50)]
    grown = [bound(parts, 1e-5, group=k).epsilon for k in (1, 2, 3)]
    assert grown == sorted(grown)
    assert grown[0] < grown[1]


def test_runs_that_were_thrown_away_are_paid_for(untrained, table):
    one = found(after(untrained, table, private=QUICK), table.splits, runs=5)
    assert one.value == pytest.approx(by_hand([(0.1, 2.0, 50)], 1e-4), rel=2e-3)
    assert "5 runs" in one.setting
    assert "thrown" not in str(one.note)
    assert "5 such runs" in str(one.note)


def test_a_delta_that_lets_one_example_out_is_refused(untrained, table):
    model = after(untrained, table, private=QUICK)
    with pytest.raises(NotMeasurable, match="published in full"):
        Epsilon(delta=0.01)(model, table.splits, rng=seeded())


def test_a_group_that_is_too_large_gets_the_loose_bound():
    parts = [Part(0.01, 4.0, 10)]
    fine, loose = (bound(parts, 1e-5, group=k) for k in (32, 33))
    assert (fine.method, loose.method) == ("PLD upper bound", "Renyi upper bound")
    assert fine.epsilon < loose.epsilon
    assert loose.epsilon == renyi_epsilon([Part(1.0, 4.0 / 33, 10)], 1e-5)
