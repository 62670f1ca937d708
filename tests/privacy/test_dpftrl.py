"""The private step for streams: what it promises is what it does."""

import json
from dataclasses import replace
from math import inf, sqrt
from typing import Any

import numpy as np
import pytest
import torch
from scipy.linalg import toeplitz
from torch import nn

from fivefold.core import progress
from fivefold.core.codec import construct
from fivefold.core.data import Batch, Seen, as_tensor
from fivefold.core.errors import BadInput, BadRecipe, LimitReached
from fivefold.core.evidence import Evidence
from fivefold.core.lineage import Claim, Record
from fivefold.core.loss import cross_entropy
from fivefold.learning import Finetune
from fivefold.privacy import DPFTRL, DPSGD, Epsilon, Ledger
from fivefold.privacy import dpftrl as module
from fivefold.privacy.accounting import Part, bound
from fivefold.privacy.dpftrl import in_order
from fivefold.privacy.stream.gradient import CorrelatedNoisy
from fivefold.privacy.stream.noise import CorrelatedNoise
from fivefold.privacy.stream.plan import StreamPlan
from fivefold.recipe.walk import apply
from fivefold.training.checkpoint import keeping
from fivefold.training.private.clipping import PerLayer
from fivefold.training.private_gradient import ClippedNoisy
from seeding import seeded

QUICK: dict[str, Any] = {"noise_multiplier": 1.0, "size": 64}


def spent(model, splits, **given):
    (one,) = Epsilon(**given)(model, splits, rng=seeded())
    assert isinstance(one, Evidence)
    return one


def claiming(model, *privacies):
    records = [Record(f"s{i}", {}, "d", Claim(privacy=p)) for i, p in enumerate(privacies)]
    return model.with_lineage((*model.lineage, *records))


@pytest.fixture
def spied(monkeypatch):
    """What `fit` was given."""
    seen = {}

    def fit(net, batches, loss, **given):
        seen.update(given, batches=batches, loss=loss)

    monkeypatch.setattr(module, "fit", fit)
    monkeypatch.setattr(module, "check_intact", lambda *_: None)  # nothing is trained
    return seen


def test_it_learns_in_one_pass(untrained, table):
    model = DPFTRL(insecure_seed=0)(untrained, table.splits.seen, rng=seeded())
    right = model.predict(table.splits.test.x).argmax(-1) == table.splits.test.y
    assert float(right.double().mean()) > 0.85


def test_what_it_claims_is_what_fit_is_given(untrained, table, spied):
    step = DPFTRL(epsilon=3.0, clip_norm=0.5, size=20, passes=3, clipping="per layer", most=7)
    step(untrained, table.splits.seen, rng=seeded())
    plan, rule = StreamPlan.of_record(step.claim(250).privacy), spied["gradient"]
    assert isinstance(rule, CorrelatedNoisy)
    assert (plan.batches, plan.separation, plan.turns) == (39, 13, 3)
    assert rule.deviation == plan.deviation * 0.5
    assert rule.clipped.clip_norm == plan.clip_norm == 0.5
    assert rule.noise.strategy == plan.strategy
    assert rule.noise.left == len(spied["batches"]) == 39
    assert rule.size == 20
    assert (rule.clipped.clipping, rule.clipped.engine.most) == (PerLayer(), 7)
    assert 2.9 <= plan.epsilon() <= 3.0
    assert not spied.keys() & {"stop", "average"}


def test_batches_come_in_the_order_of_the_data_in_every_pass():
    data = Batch(torch.arange(7.0)[:, None], torch.arange(7))
    read = [batch.y.tolist() for batch in in_order(data, 3, 2)]
    assert read == 2 * [[0, 1, 2], [3, 4, 5], [6]]


def test_one_example_moves_the_protected_run_by_the_sensitivity_and_no_more(untrained, table):
    """The gradients of all batches, with one example and without, times the strategy matrix."""
    train, row = table.splits.seen.train, 3
    x, y = as_tensor(train.x).clone(), train.y.clone()
    x[row] *= 100  # a gradient far longer than the clip norm, if the class is wrong
    y[row] = 1 - untrained.net(x[[row]]).argmax()
    plan = DPFTRL(passes=3, clip_norm=0.5, **QUICK).plan(250)
    rule = ClippedNoisy(clip_norm=0.5, noise_multiplier=0.0, expected_size=1.0, noise=seeded())
    moved = []
    for first, batch in enumerate(in_order(Batch(x, y), 64, 3)):
        keep = torch.ones(batch.size, dtype=torch.bool)
        keep[row] = first % 4 != 0
        sums = []
        for part in (batch, batch.take(keep)):
            untrained.net.zero_grad()
            rule(untrained.net, part, cross_entropy)
            sums.append(torch.cat([p.grad.flatten() for p in untrained.net.parameters()]))
        moved.append(sums[0] - sums[1])
    untrained.net.zero_grad()
    strategy = toeplitz(plan.strategy.strategy(12), np.zeros(12))
    most = plan.sensitivity * 0.5
    assert np.linalg.norm(strategy @ torch.stack(moved).double().numpy()) == pytest.approx(
        most, rel=1e-3
    )


def test_noise_on_the_weights_is_what_was_paid_for(untrained, table):
    """Whatever the gradients are, those of two runs on the same weights differ by noise alone."""
    step = DPFTRL(noise_multiplier=2.0, clip_norm=0.5, size=64, passes=2)
    plan, batches = step.plan(250), [*in_order(table.splits.seen.train, 64, 2)]
    found = []
    for seed in range(2):
        rule, seen = replace(step, insecure_seed=seed)._gradient(plan), []
        for batch in batches:
            untrained.net.zero_grad()
            rule(untrained.net, batch, cross_entropy)
            seen.append(torch.cat([p.grad.flatten() for p in untrained.net.parameters()]))
        found.append(torch.stack(seen).double().numpy())
    untrained.net.zero_grad()
    strategy = toeplitz(plan.strategy.strategy(8), np.zeros(8))
    white = strategy @ (found[0] - found[1]) * 64 / sqrt(2)
    assert white.std(axis=1) == pytest.approx(2.0 * plan.sensitivity * 0.5, rel=0.25)
    assert abs(np.corrcoef(white) - np.eye(8)).max() < 0.5


def test_it_reads_the_training_split_alone(untrained, table):
    seen, step = table.splits.seen, DPFTRL(insecure_seed=3, **QUICK)
    nan = seen.valid.x * torch.nan
    a = step(untrained, seen, rng=seeded())
    b = step(untrained, Seen(seen.train, Batch(nan, seen.valid.y)), rng=seeded())
    assert torch.equal(a.predict(table.splits.test.x), b.predict(table.splits.test.x))


def test_noise_does_not_follow_from_the_public_seed(untrained, table):
    step, x = DPFTRL(**QUICK), table.splits.test.x
    a, b = (step(untrained, table.splits.seen, rng=seeded(1)) for _ in range(2))
    assert not torch.equal(a.predict(x), b.predict(x))


def test_an_insecure_seed_repeats_and_voids_the_guarantee(untrained, table):
    step, x = DPFTRL(insecure_seed=7, **QUICK), table.splits.test.x
    a, b = (step(untrained, table.splits.seen, rng=seeded(i)) for i in range(2))
    assert torch.equal(a.predict(x), b.predict(x))
    assert (
        spent(apply(step, "s", untrained, table.splits.seen, seeded()), table.splits).value == inf
    )


def test_it_costs_one_gaussian_however_many_batches(untrained, table):
    expected = bound([Part(1.0, 1.5, 1)], 1e-4).epsilon
    plain = DPFTRL(noise_multiplier=1.5)
    steps = [replace(plain, size=size, passes=p) for size, p in ((1, 1), (250, 1), (30, 5))]
    for step in (*steps, replace(plain, buffers=1)):
        one = spent(claiming(untrained, step.claim(250).privacy), table.splits)
        assert one.value == pytest.approx(expected, rel=1e-3)


def test_the_accountant_agrees_with_the_exact_gaussian():
    """Balle and Wang (2018): delta of one Gaussian mechanism, in closed form."""
    from scipy.stats import norm

    plan = DPFTRL(noise_multiplier=1.5, size=10).plan(250)
    epsilon, s = plan.epsilon(), 1 / 1.5
    delta = norm.cdf(s / 2 - epsilon / s) - np.exp(epsilon) * norm.cdf(-s / 2 - epsilon / s)
    assert 0.97 * 1e-4 < delta <= 1e-4


def test_stages_of_a_stream_are_added_up(untrained, table):
    """Continual learning: each stage reads other data, the same people may be in all of them."""
    train, valid, _ = table.splits.seen
    model = untrained
    for i, noise in enumerate((1.5, 2.0)):
        rows = slice(125 * i, 125 * (i + 1))
        step = DPFTRL(noise_multiplier=noise, size=25)
        model = apply(step, f"s{i}", model, Seen(train.take(rows), valid), seeded(1))
    together = 1 / sqrt(1 / 1.5**2 + 1 / 2.0**2)
    one = spent(model, table.splits)
    assert one.value == pytest.approx(bound([Part(1.0, together, 1)], 1e-4).epsilon, rel=2e-3)
    assert "same people" in str(one.note)


def test_with_sampled_steps_it_is_added_up_too_and_plain_ones_void_it(untrained, table):
    stream, sampled = DPFTRL(noise_multiplier=2.0), DPSGD(noise_multiplier=2.0, steps=5)
    private = [dict(s.claim(250).privacy) for s in (stream, sampled)]
    both = spent(claiming(untrained, *private), table.splits)
    parts = [Part(1.0, 2.0, 1), Part(0.25, 2.0, 5)]
    assert both.value == pytest.approx(bound(parts, 1e-4).epsilon, rel=1e-3)
    plain = apply(
        Finetune(epochs=1), "p", claiming(untrained, private[0]), table.splits.seen, seeded()
    )
    assert spent(plain, table.splits).value == inf


def test_several_examples_of_a_person_cost_as_one_that_is_as_much_longer(untrained, table):
    model = claiming(untrained, DPFTRL(noise_multiplier=3.0).claim(250).privacy)
    expected = bound([Part(1.0, 1.0, 1)], 1e-4).epsilon
    assert spent(model, table.splits, per_person=3).value == pytest.approx(expected, rel=5e-3)


@pytest.mark.parametrize(
    "changed",
    [{"mechanism": "magic"}, {"relation": "add or remove one"}, {"unit": "batch"}, {"seeded": None},
     {"deviation": 0.0}, {"deviation": float("nan")}, {"deviation": "much"}, {"delta": 2.0},
     {"batches": 0}, {"batches": 2.5}, {"batches": 10**9}, {"turns": -1}, {"separation": 0},
     {"decays": [0.9]}, {"decays": [2.0, 0.5, 0.5]}, {"weights": [0.9, 0.9, 0.9]}, {"weights": None},
     {"clip_norm": -1.0}],
)  # fmt: skip
def test_a_claim_that_is_not_understood_counts_as_none(changed, untrained, table):
    good = dict(DPFTRL(**QUICK).claim(250).privacy)
    assert spent(claiming(untrained, good), table.splits).value < inf
    assert spent(claiming(untrained, good | changed), table.splits).value == inf
    (name,) = changed
    left = {k: v for k, v in good.items() if k != name}
    assert spent(claiming(untrained, left), table.splits).value == inf


def test_less_noise_or_more_turns_in_the_record_cost_more(untrained, table):
    good = dict(DPFTRL(passes=2, **QUICK).claim(250).privacy)
    cost = spent(claiming(untrained, good), table.splits).value
    for worse in ({"deviation": good["deviation"] / 2}, {"separation": 1, "turns": 8}):
        assert spent(claiming(untrained, good | worse), table.splits).value > 1.2 * cost


def test_the_record_survives_json():
    record = DPFTRL(**QUICK).claim(250).privacy
    assert StreamPlan.of_record(json.loads(json.dumps(record))) == DPFTRL(**QUICK).plan(250)


def test_the_ledger_counts_a_run_and_refuses_what_is_too_much(untrained, table, tmp_path):
    ledger = Ledger(file=str(tmp_path / "spent"), epsilon=4.0)
    step = DPFTRL(epsilon=3.0, size=64, ledger=ledger)
    step(untrained, table.splits.seen, rng=seeded())
    assert 2.9 <= ledger.spent() <= 3.0
    with pytest.raises(LimitReached, match="No row was read"):
        step(untrained, table.splits.seen, rng=seeded())


class Interrupted(Exception):
    """Somebody pulled the plug."""


class Plug:
    """A listener that pulls the plug after some batches."""

    def __init__(self, after):
        self.left = after

    def start(self, label, total):
        return 0

    def advance(self, handle):
        self.left -= 1
        if self.left < 0:
            raise Interrupted

    def scalar(self, label, value, index):
        pass

    def stop(self, handle):
        pass


@pytest.mark.parametrize("seed", [None, 5])
def test_a_run_that_goes_on_has_fresh_noise_and_keeps_none_on_disk(
    seed, untrained, table, tmp_path, monkeypatch
):
    added, kept = [], CorrelatedNoise.noised

    def noised(self, x, deviation):
        out = kept(self, x, deviation)
        added.append((self, out.double() - x.double()))
        return out

    monkeypatch.setattr(CorrelatedNoise, "noised", noised)
    step = DPFTRL(insecure_seed=seed, size=25)
    rng = seeded()
    with pytest.raises(Interrupted), progress.heard_by(Plug(6)), keeping(tmp_path, rng, key="k", every_seconds=0.0):  # fmt: skip
        step(untrained, table.splits.seen, rng=rng)
    n_before = len(added)
    size = sum(p.numel() for p in untrained.net.parameters())
    files = [*tmp_path.glob("*.safetensors")]
    assert files
    assert (
        sum(f.stat().st_size for f in files) < 3 * 4 * size + 20_000
    )  # weights and momentum; no buffers
    with keeping(tmp_path, rng, key="k", every_seconds=0.0):
        step(untrained, table.splits.seen, rng=rng)
    assert 0 < n_before < 10
    assert 10 <= len(added) <= 11  # it went on, and did not begin anew
    assert added[0][0] is not added[-1][0]
    vectors = torch.stack([noise for _, noise in added[:n_before] + added[n_before:]])
    alike = torch.corrcoef(vectors).fill_diagonal_(0)
    assert float(alike[:n_before, n_before:].abs().max()) < 0.5


def test_a_net_with_frozen_weights_and_a_rule_with_noise_of_its_own():
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    net[0].requires_grad_(requires_grad=False)
    plan = DPFTRL(**QUICK).plan(64)
    rule = DPFTRL(insecure_seed=1, **QUICK)._gradient(plan)
    assert rule(net, Batch(torch.zeros(2, 3), torch.zeros(2).long()), cross_entropy).isnan()
    assert net[0].weight.grad is None
    assert net[1].weight.grad is not None
    with pytest.raises(ValueError, match="without noise"):
        replace(rule, clipped=replace(rule.clipped, noise_multiplier=1.0))


def test_the_default_reaches_epsilon_8_with_delta_below_one_over_n():
    plan = DPFTRL().plan(341)
    assert 7.5 <= plan.epsilon() <= 8.0
    assert plan.delta == 1e-4


def test_epsilon_and_noise_exclude_each_other():
    with pytest.raises(ValueError, match="not both"):
        DPFTRL(epsilon=1.0, noise_multiplier=1.0)


@pytest.mark.parametrize(
    "bad", [{"epsilon": 0.0}, {"noise_multiplier": -1.0}, {"size": 0}, {"passes": 0}, {"buffers": 0},
            {"buffers": 5}, {"delta": 0.0}, {"delta": 1.0}, {"clip_norm": 0.0}, {"error": "median"}]
)  # fmt: skip
def test_nonsense_is_refused_before_anything_runs(bad):
    with pytest.raises(BadRecipe):
        construct(DPFTRL, bad, where="steps[0]")


def test_a_delta_that_allows_publishing_an_example_is_refused():
    assert DPFTRL(delta=1e-3, **QUICK).plan(999).delta == 1e-3
    with pytest.raises(BadRecipe, match="1000"):
        DPFTRL(delta=1e-3, **QUICK).claim(1000)


def test_no_examples_is_bad_input():
    with pytest.raises(BadInput, match="no training examples"):
        DPFTRL(**QUICK).claim(0)
