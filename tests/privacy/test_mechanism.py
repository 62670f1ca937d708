"""What a claim costs, whatever it hides; two kinds of claims hide no more than both do."""

from dataclasses import replace
from math import exp, inf

import pytest
from dp_accounting import (
    ComposedDpEvent,
    DpEvent,
    GaussianDpEvent,
    PoissonSampledDpEvent,
    SelfComposedDpEvent,
)
from dp_accounting.pld import PLDAccountant
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Evidence
from fivefold.core.lineage import Claim, Record
from fivefold.privacy import DPSGD, Epsilon, Federated
from fivefold.privacy.accounting import BEYOND, Part, Run, bound, composed, renyi_epsilon
from fivefold.privacy.federated import ByColumn, ClientPrivacy
from fivefold.privacy.mechanism import paid_of
from seeding import seeded

HIDDEN = ClientPrivacy(noise_multiplier=2.0, delta=1e-5)
CLIENTS = Federated(private=HIDDEN, clients=ByColumn(column="c5"), rate=0.2, rounds=5)
EXAMPLES = DPSGD(noise_multiplier=2.0, rate=0.1, steps=10, delta=1e-5)


def found(model, splits, *steps, data=("d",), **given):
    records = [
        Record(f"s{i}", {}, data[i % len(data)], step.claim(250)) for i, step in enumerate(steps)
    ]
    history = model.with_lineage((*model.lineage, *records))
    (one,) = Epsilon(**given)(history, splits, rng=seeded())
    assert isinstance(one, Evidence)
    return one


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    parts=st.lists(
        st.builds(Part, st.floats(0.01, 1.0), st.floats(0.7, 5.0), st.integers(1, 20)),
        min_size=1,
        max_size=3,
    )
)
def test_the_bound_is_what_dp_accounting_says_of_the_same_events(parts):
    ours = bound(parts, 1e-5)
    if ours.method == "Renyi upper bound":
        assert ours.epsilon == renyi_epsilon(parts, 1e-5)
        return
    renyi = renyi_epsilon(parts, 1e-5)
    assert renyi <= BEYOND
    grid = min(max(renyi * 1e-4, 1e-4), 1e-3)
    events: list[DpEvent] = [
        SelfComposedDpEvent(PoissonSampledDpEvent(p.rate, GaussianDpEvent(p.noise_multiplier)), p.steps)
        for p in sorted(parts)
    ]  # fmt: skip
    accountant = PLDAccountant(value_discretization_interval=grid)
    theirs = accountant.compose(ComposedDpEvent(events)).get_epsilon(1e-5)
    assert ours.epsilon == pytest.approx(theirs, rel=1e-12)


def test_clients_cost_what_dp_accounting_says(untrained, table):
    one = found(untrained, table.splits, CLIENTS)
    part = Part(0.2, 2.0, 5)
    assert one.value == bound([part], 1e-5).epsilon
    event = SelfComposedDpEvent(PoissonSampledDpEvent(0.2, GaussianDpEvent(2.0)), 5)
    grid = min(max(renyi_epsilon([part], 1e-5) * 1e-4, 1e-4), 1e-3)
    theirs = PLDAccountant(value_discretization_interval=grid).compose(event).get_epsilon(1e-5)
    assert one.value == pytest.approx(theirs, rel=1e-12)
    assert one.setting == "delta 1e-05, per client"
    assert "one client with all of its rows" in str(one.note)
    assert "客户端" in one.note.words("zh")


def test_the_same_clients_in_two_steps_are_added_up(untrained, table):
    one = found(untrained, table.splits, CLIENTS, CLIENTS, data=("a", "b"))
    assert one.value == bound([Part(0.2, 2.0, 5)] * 2, 1e-5).epsilon
    assert one.setting.endswith("per client")


def test_clients_that_were_drawn_are_no_others(untrained, table):
    drawn = Federated(private=HIDDEN, rate=0.2, rounds=5)
    assert found(untrained, table.splits, drawn).value < inf
    assert found(untrained, table.splits, drawn, drawn).value == inf
    assert found(untrained, table.splits, drawn, EXAMPLES).value == inf
    assert found(untrained, table.splits, drawn, runs=2).value == inf


def test_a_mixed_history_hides_one_example_and_costs_two_clients(untrained, table):
    one = found(untrained, table.splits, CLIENTS, EXAMPLES)
    both = [Part(0.2, 2.0, 5), Part(0.1, 2.0, 10)]
    first = bound(both, 0.5e-5).epsilon
    second = bound(both[:1], 0.5e-5 * exp(-first)).epsilon
    assert one.value == first + second
    assert one.value > bound(both, 1e-5).epsilon
    assert "per client" not in one.setting
    assert "no whole client" in str(one.note)


def test_a_mixed_history_is_never_below_replacing_a_client(untrained, table):
    """By dp-accounting's own words for one owner replaced by another."""
    from dp_accounting import NeighboringRelation

    other = replace(CLIENTS, clients=ByColumn(column="c4"))
    ours = found(untrained, table.splits, CLIENTS, other).value
    event = SelfComposedDpEvent(PoissonSampledDpEvent(0.2, GaussianDpEvent(2.0)), 10)
    relation = NeighboringRelation.REPLACE_ONE
    theirs = PLDAccountant(relation, value_discretization_interval=1e-3).compose(event)
    assert theirs.get_epsilon(1e-5) < ours < 2 * theirs.get_epsilon(1e-5)


def test_several_examples_of_a_person_may_lie_with_several_clients(untrained, table):
    with pytest.raises(NotMeasurable, match="several"):
        found(untrained, table.splits, CLIENTS, per_person=2)
    with pytest.raises(NotMeasurable, match="several"):
        found(untrained, table.splits, CLIENTS, EXAMPLES, per_person=2)


@pytest.mark.parametrize(
    "changed",
    [{"unit": "batch"}, {"owners": ""}, {"owners": 3}, {"unit": "example"}, {"relation": "replace"},
     {"rate": 0.0}, {"steps": 1.5}, {"noise_multiplier": inf}, {"mechanism": ["a"]}],
)  # fmt: skip
def test_what_does_not_fit_costs_everything(changed, untrained, table):
    good = dict(CLIENTS.claim(250).privacy)
    assert paid_of(good) is not None
    assert paid_of(good | changed) is None
    record = Record("s", {}, "d", Claim(privacy=good | changed))
    (one,) = Epsilon()(untrained.with_lineage((record,)), table.splits, rng=seeded())
    assert isinstance(one, Evidence)
    assert one.value == inf


def test_a_seeded_claim_is_known_as_such():
    seeded_ = replace(CLIENTS, private=replace(HIDDEN, insecure_seed=1))
    paid = paid_of(seeded_.claim(250).privacy)
    assert paid is not None
    assert paid.is_seeded
    assert paid.told == "q = 0.2, σ = 2, C = 1, T = 5"


def test_runs_count_their_steps():
    part = Part(0.2, 2.0, 5)
    assert composed([Run((part,), times=3)], 1e-5) == bound([Part(0.2, 2.0, 15)], 1e-5)
