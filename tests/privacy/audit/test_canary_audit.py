"""The probe: it trains as the step does, says what it tested, and stays silent where it cannot."""

from dataclasses import dataclass, replace
from math import inf

import pytest
import torch

from fivefold.core.evidence import Evidence, Missing
from fivefold.core.fingerprint import of_state
from fivefold.core.lineage import Claim
from fivefold.core.model import with_net
from fivefold.core.step import Step
from fivefold.models import MLP, fresh
from fivefold.privacy import DPSGD, AdaptiveClipping, CanaryAudit
from fivefold.privacy import canary_audit as probe
from fivefold.privacy.audit.one_run import largest_provable, proved
from fivefold.privacy.audit.trial import shortened, trial
from fivefold.privacy.plan import Plan
from fivefold.recipe.walk import apply
from seeding import seeded

STEP = DPSGD(epsilon=1.0, steps=20)
QUICK = CanaryAudit(steps=8, canaries=60, strange_rows=16)


@pytest.fixture(scope="module")
def wide(table):
    return fresh(MLP(hidden=(32,)), table, seeded())


@pytest.fixture(scope="module")
def private(wide, table):
    return apply(STEP, "private", wide, table.splits.seen, seeded())


def found(audit, model, table, seed=1):
    told = audit(model, table.splits, rng=seeded(seed))
    return {f.name: f for f in told if isinstance(f, Evidence)}


def test_it_says_what_was_proved_of_what_was_claimed(private, table):
    before = of_state(private.net.state_dict())
    told = found(QUICK, private, table)
    bound, excess = told["audited_epsilon"], told["epsilon_excess"]
    assert of_state(private.net.state_dict()) == before
    assert bound.value == bound.low
    assert bound.high == inf
    assert bound.n == 60 + 16
    assert bound.setting == "private, delta 0.0001"
    plan = STEP.plan(250)
    claimed = replace(plan, steps=8).epsilon()
    assert excess.value == excess.high == max(0.0, bound.value - claimed) == 0.0
    assert f"Claimed for these steps: {claimed:.4g}" in str(bound.note)
    assert "8 of 20 steps" in str(bound.note)
    assert "does not prove it" in str(excess.note)
    assert bound.chart is not None
    assert {r["bound"] for r in bound.chart.rows} == {
        "proved", "claimed", "most that could be proved"
    }  # fmt: skip


def test_it_repeats(private, table):
    assert found(QUICK, private, table) == found(QUICK, private, table)


def test_every_private_step_is_audited_and_the_error_is_shared(private, table, monkeypatch):
    alphas = []

    def noted(scores, inside, delta, alpha):
        alphas.append(alpha)
        return proved(scores, inside, delta, alpha)

    monkeypatch.setattr(probe, "proved", noted)
    twice = apply(STEP, "again", private, table.splits.seen, seeded())
    told = QUICK(twice, table.splits, rng=seeded())
    assert {f.setting.partition(",")[0] for f in told} == {"private", "again"}
    assert alphas == [pytest.approx(0.05 / 4)] * 4


def test_without_a_claim_there_is_nothing_to_test(trained, table):
    (one,) = QUICK(trained, table.splits, rng=seeded())
    assert isinstance(one, Missing)
    assert "no claim" in str(one.reason)


@dataclass(frozen=True, kw_only=True)
class Other(Step):
    """Something else that claims privacy."""

    def __call__(self, model, seen, *, rng):
        return with_net(model, self)

    def claim(self, n_examples):
        return Claim(privacy={"mechanism": "magic"})


@pytest.mark.parametrize("changes", [None, {"user": "c5"}, {"views": 2}])
def test_what_it_cannot_test_it_does_not_replace(changes, untrained, table):
    step = replace(STEP, steps=2) if changes else Other()
    model = apply(step, "s", untrained, table.splits.seen, seeded())
    if changes:
        record = model.lineage[-1]
        record = record._replace(step={**record.step, **changes})
        model = model.with_lineage((*model.lineage[:-1], record))
    (one,) = QUICK(model, table.splits, rng=seeded())
    assert isinstance(one, Missing)
    assert one.setting == "s"


def test_few_weights_prove_nothing_and_it_says_so(table):
    tiny = fresh(MLP(hidden=()), table, seeded())
    model = apply(replace(STEP, steps=2), "s", tiny, table.splits.seen, seeded())
    (one,) = QUICK(model, table.splits, rng=seeded())
    assert isinstance(one, Missing)
    assert "fewer than 16" in str(one.reason)


@pytest.mark.parametrize("clipping", ["per layer", "automatic", AdaptiveClipping()])
def test_other_clippings_are_audited_with_their_own_noise(clipping, wide, table):
    step = replace(STEP, steps=4, clipping=clipping)
    if isinstance(clipping, AdaptiveClipping):
        step = replace(step, rate=0.9)
    model = apply(step, "s", wide, table.splits.seen, seeded())
    told = found(QUICK, model, table)
    assert told["epsilon_excess"].value == 0.0
    claimed = step.plan(250).epsilon()
    assert f"Claimed for these steps: {claimed:.4g}" in str(told["audited_epsilon"].note)


def test_regression_and_images_are_audited(numbers, images):
    for data in (numbers, images):
        model = fresh(MLP(hidden=(16,)), data, seeded())
        model = apply(replace(STEP, steps=3), "s", model, data.splits.seen, seeded())
        told = found(QUICK, model, data)
        assert told["epsilon_excess"].value == 0.0


def test_the_run_is_the_step_itself_with_the_noise_that_was_claimed(untrained, table, monkeypatch):
    seen = []
    plain = DPSGD.__call__
    monkeypatch.setattr(
        DPSGD, "__call__", lambda self, *a, **k: seen.append((self, a)) or plain(self, *a, **k)
    )
    plan = STEP.plan(250)
    short = shortened(replace(STEP, clip_norm=0.7), plan, 5)
    rows = table.splits.seen.train.take(slice(0, 24))
    made = trial(short, untrained, rows, "weights", 60, seeded())
    (used, (model, given)) = seen[0]
    assert used.noise_multiplier == plan.noise_multiplier
    assert (used.steps, used.delta, used.clip_norm) == (5, plan.delta, 0.7)
    assert used.ledger is None
    assert given.train.size == 24 + 60  # left-out canaries stay as rows, whatever the coins say
    assert model.net is not untrained.net
    assert made.seen.shape == (5, 60)
    assert made.plan == Plan(
        rate=0.25,
        steps=5,
        clip_norm=0.7,
        noise_multiplier=plan.noise_multiplier,
        delta=plan.delta,
    )


def test_canaries_are_few_enough_for_delta(table):
    model = fresh(MLP(hidden=(64,)), table, seeded())
    step = DPSGD(noise_multiplier=4.0, steps=2, delta=3e-3)
    model = apply(step, "s", model, table.splits.seen, seeded())
    told = found(CanaryAudit(steps=2, strange_rows=0), model, table)
    assert told["audited_epsilon"].n == int(1 / 3e-3) - 24 - 1


def test_more_canaries_could_prove_more():
    assert torch.tensor([largest_provable(n, 1e-5) for n in (60, 300, 1000)]).diff().gt(0).all()
