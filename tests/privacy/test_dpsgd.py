"""The private step: what it promises is what it does."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from fivefold.core.codec import construct
from fivefold.core.data import Batch, Seen
from fivefold.core.errors import BadInput, BadRecipe, NotMeasurable
from fivefold.core.loss import cross_entropy
from fivefold.core.model import HasNet
from fivefold.privacy import DPSGD
from fivefold.privacy import dpsgd as module
from fivefold.privacy.plan import plan_of
from fivefold.training.private.clipping import PerLayer
from fivefold.training.private_gradient import ClippedNoisy
from seeding import seeded

QUICK: dict[str, Any] = {"noise_multiplier": 1.0, "steps": 3}


@pytest.fixture
def spied(monkeypatch):
    """What `fit` was given."""
    seen = {}

    def fit(net, batches, loss, **given):
        seen.update(given, batches=batches, loss=loss)

    monkeypatch.setattr(module, "fit", fit)
    monkeypatch.setattr(module, "check_intact", lambda *_: None)  # nothing is trained
    return seen


def test_it_learns(untrained, table):
    model = DPSGD(insecure_seed=0)(untrained, table.splits.seen, rng=seeded())
    right = model.predict(table.splits.test.x).argmax(-1) == table.splits.test.y
    assert float(right.double().mean()) > 0.85


def test_what_it_claims_is_what_fit_is_given(untrained, table, spied):
    step = DPSGD(epsilon=3.0, clip_norm=0.5, rate=0.2, steps=40)
    step(untrained, table.splits.seen, rng=seeded())
    claimed, rule = plan_of(step.claim(250).privacy), spied["gradient"]
    assert isinstance(rule, ClippedNoisy)
    assert claimed is not None
    assert rule.noise_multiplier == claimed.noise_multiplier
    assert rule.clip_norm == claimed.clip_norm == 0.5
    assert rule.expected_size == 0.2 * 250
    assert len(spied["batches"]) == claimed.steps == 40
    assert spied["loss"] is cross_entropy
    assert claimed.epsilon() <= 3.0
    assert "stop" not in spied
    assert spied["average"] is None


def test_how_gradients_are_clipped_and_found_reaches_fit(untrained, table, spied):
    step = DPSGD(clipping="per layer", method="together", most=7, **QUICK)
    step(untrained, table.splits.seen, rng=seeded())
    rule = spied["gradient"]
    assert (rule.clipping, rule.engine.method, rule.engine.most) == (PerLayer(), "together", 7)


@pytest.mark.parametrize("clipping", ["per layer", "automatic"])
def test_it_learns_with_every_clipping(untrained, table, clipping):
    step = DPSGD(insecure_seed=0, clipping=clipping, method="together")
    model = step(untrained, table.splits.seen, rng=seeded())
    right = model.predict(table.splits.test.x).argmax(-1) == table.splits.test.y
    assert float(right.double().mean()) > 0.85


def test_it_reads_the_training_split_alone(untrained, table):
    seen, step = table.splits.seen, DPSGD(insecure_seed=3, **QUICK)
    nan = seen.valid.x * torch.nan
    a = step(untrained, seen, rng=seeded())
    b = step(untrained, Seen(seen.train, Batch(nan, seen.valid.y)), rng=seeded())
    assert torch.equal(a.predict(table.splits.test.x), b.predict(table.splits.test.x))


def test_noise_and_samples_do_not_follow_from_the_public_seed(untrained, table):
    step, x = DPSGD(**QUICK), table.splits.test.x
    a = step(untrained, table.splits.seen, rng=seeded(1))
    b = step(untrained, table.splits.seen, rng=seeded(1))
    assert not torch.equal(a.predict(x), b.predict(x))
    batches = [
        step.plan(250).batches(table.splits.seen.train, step._sources().samples) for _ in range(2)
    ]
    assert [b.size for b in batches[0]] != [b.size for b in batches[1]]


def test_an_insecure_seed_repeats_and_says_so(untrained, table):
    step, x = DPSGD(insecure_seed=7, **QUICK), table.splits.test.x
    a = step(untrained, table.splits.seen, rng=seeded(1))
    b = step(untrained, table.splits.seen, rng=seeded(2))
    assert torch.equal(a.predict(x), b.predict(x))
    assert step.claim(250).privacy["seeded"] is True
    assert DPSGD(**QUICK).claim(250).privacy["seeded"] is False


def test_every_step_adds_its_own_noise(untrained, table):
    """Noise off, or drawn once, would let the weights move less, or along one line."""
    empty = Seen(table.splits.seen.train, table.splits.seen.valid)
    step = DPSGD(noise_multiplier=1.0, steps=6, rate=1e-9, insecure_seed=1)
    noise, _, _, sampling = step._sources()
    rule, found = step.plan(250).gradient(250, noise), []
    for batch in step.plan(250).batches(empty.train, sampling):
        assert batch.size == 0
        rule(untrained.net, batch, cross_entropy)
        found.append(torch.cat([p.grad.flatten() for p in untrained.net.parameters()]))
        untrained.net.zero_grad()
    cosine = torch.corrcoef(torch.stack(found)) - torch.eye(6)
    assert float(cosine.abs().max()) < 0.5
    assert all(float(g.norm()) > 0 for g in found)


def test_empty_batches_are_steps_too(untrained, table, monkeypatch):
    """As many noises as are claimed: who counted only batches with examples would tell that none was drawn."""
    noises: list[torch.Tensor] = []
    real = ClippedNoisy.__call__

    def noisy(self, net, batch, loss):
        assert batch.size == 0
        value = real(self, net, batch, loss)
        noises.append(torch.cat([p.grad.flatten() for p in net.parameters()]))
        return value

    monkeypatch.setattr(ClippedNoisy, "__call__", noisy)
    step = DPSGD(noise_multiplier=1.0, steps=6, rate=1e-9, insecure_seed=1)
    model = step(untrained, table.splits.seen, rng=seeded())
    assert len(noises) == 6 == step.claim(250).privacy["steps"]
    assert all(float(n.norm()) > 0 for n in noises)
    assert not torch.equal(
        model.predict(table.splits.test.x), untrained.predict(table.splits.test.x)
    )


@pytest.mark.parametrize("average", [0.5, 0.99])
def test_the_result_is_the_mean_of_the_weights(untrained, table, monkeypatch, average):
    """Made of noisy weights alone, so it costs nothing."""
    before: list[torch.Tensor] = []
    real = ClippedNoisy.__call__

    def noisy(self, net, batch, loss):
        before.append(weights(net))
        return real(self, net, batch, loss)

    monkeypatch.setattr(ClippedNoisy, "__call__", noisy)
    step = DPSGD(noise_multiplier=1.0, steps=8, insecure_seed=1)
    last = step(untrained, table.splits.seen, rng=seeded())
    mean, passed = before[0], [*before[1:], weights(net_of(last))]
    for i, now in enumerate(passed):
        kept = min(average, (1 + i) / (10 + i))
        mean = kept * mean + (1 - kept) * now
    averaged = replace(step, average=average)
    found = averaged(untrained, table.splits.seen, rng=seeded())
    assert torch.allclose(weights(net_of(found)), mean, atol=1e-6)
    assert not torch.allclose(weights(net_of(last)), mean, atol=1e-3)
    assert averaged.claim(250) == step.claim(250)


def net_of(model):
    assert isinstance(model, HasNet)
    return model.net


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.parameters()]).clone()


def test_the_default_reaches_epsilon_8_with_delta_below_one_over_n():
    plan = DPSGD().plan(341)
    assert 7.5 <= plan.epsilon() <= 8.0
    assert plan.delta == 1e-4


def test_epsilon_and_noise_exclude_each_other():
    with pytest.raises(ValueError, match="not both"):
        DPSGD(epsilon=1.0, noise_multiplier=1.0)


@pytest.mark.parametrize(
    "bad", [{"epsilon": 0.0}, {"noise_multiplier": -1.0}, {"rate": 0.0}, {"rate": 1.5}, {"steps": 0},
            {"delta": 0.0}, {"delta": 1.0}, {"clip_norm": 0.0}, {"average": 1.0}, {"per_user": 0},
            {"clipping": "adaptive"}]
)  # fmt: skip
def test_nonsense_is_refused_before_anything_runs(bad):
    with pytest.raises(BadRecipe):
        construct(DPSGD, bad, where="steps[0]")


def test_a_delta_that_allows_publishing_an_example_is_refused():
    assert DPSGD(delta=1e-3, **QUICK).plan(999).delta == 1e-3
    with pytest.raises(BadRecipe, match="1000"):
        DPSGD(delta=1e-3, **QUICK).claim(1000)


def test_no_examples_is_bad_input():
    with pytest.raises(BadInput, match="no training examples"):
        DPSGD(**QUICK).claim(0)


def test_a_black_box_is_refused(table):
    class Box:
        task, schema, lineage = table.task, table.schema, ()

        def predict(self, x):
            return x

        def with_lineage(self, lineage):
            return self

    with pytest.raises(NotMeasurable, match="gradients"):
        DPSGD(**QUICK)(Box(), table.splits.seen, rng=seeded())


def test_what_layers_draw_is_secret(untrained, table, monkeypatch):
    """Dropout draws by the place in the batch: who knew its masks would see the other rows move up."""
    states = []
    monkeypatch.setattr(module, "fit", lambda *_, **__: states.append(torch.get_rng_state()))
    monkeypatch.setattr(module, "check_intact", lambda *_: None)
    public = torch.get_rng_state()
    for seed in (None, None, 5, 5):
        step = DPSGD(insecure_seed=seed, **QUICK)
        step(untrained, table.splits.seen, rng=seeded())
    assert torch.equal(torch.get_rng_state(), public)
    assert not any(torch.equal(state, public) for state in states)
    assert not torch.equal(states[0], states[1])
    assert torch.equal(states[2], states[3])
