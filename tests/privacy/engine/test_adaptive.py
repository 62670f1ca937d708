"""An adaptive clip norm costs what it is said to cost, and no more is said to be left than there is."""

from dataclasses import replace
from math import inf, nan
from typing import Any

import pytest
import torch
from dp_accounting import ComposedDpEvent, GaussianDpEvent, PoissonSampledDpEvent
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core import progress
from fivefold.core.codec import construct, decode, encode
from fivefold.core.errors import BadRecipe
from fivefold.core.evidence import Evidence
from fivefold.core.lineage import Claim, Record
from fivefold.core.step import Step
from fivefold.privacy import DPSGD, AdaptiveClipping, Epsilon
from fivefold.privacy import dpsgd as module
from fivefold.privacy.accounting import Part, renyi_epsilon
from fivefold.privacy.engine.adaptive import joint_noise
from fivefold.recipe.walk import apply
from fivefold.training.checkpoint import keeping
from fivefold.training.private.quantile import MovingNorm
from seeding import seeded

QUICK: dict[str, Any] = {"noise_multiplier": 1.0, "steps": 3}
NOISES = st.floats(0.3, 20.0)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(total=NOISES, count=st.sampled_from([None, 0.6, 1.0, 5.0, 1000.0]))
def test_both_noises_together_are_the_noise_of_the_plan(total, count):
    """Equation (1) of the paper, against the sum of squared sensitivities over deviations."""
    one = AdaptiveClipping(count_noise=None if count is None else count * total)
    gradient, told = one.noise_on_gradient(total), one.noise_on_count(total)
    shift = (1 / gradient) ** 2 + (0.5 / told) ** 2
    assert shift**-0.5 == pytest.approx(total, rel=1e-12)
    assert joint_noise(gradient, told) == pytest.approx(total, rel=1e-12)
    assert gradient > total


def test_by_default_the_gradient_gets_one_percent_more_noise():
    assert AdaptiveClipping().noise_on_gradient(2.0) == pytest.approx(2.02)


@pytest.mark.parametrize("rate", [0.05, 1.0])
def test_epsilon_equals_that_of_the_joint_mechanism(rate):
    """The accountant's own words for a gradient and a count over the same sample."""
    one = AdaptiveClipping(count_noise=1.5)
    gradient, count = one.noise_on_gradient(1.1), one.noise_on_count(1.1)
    both = ComposedDpEvent([GaussianDpEvent(gradient), GaussianDpEvent(2 * count)])
    event = PoissonSampledDpEvent(rate, both)
    orders = [*range(2, 33), 40, 48, 64, 96, 128, 192, 256, 512, 1024]
    theirs = RdpAccountant(orders=orders).compose(event, 50).get_epsilon(1e-5)
    assert renyi_epsilon([Part(rate, 1.1, 50)], 1e-5) == pytest.approx(theirs, rel=1e-9)
    if rate == 1:
        exact = PLDAccountant(value_discretization_interval=1e-3)
        apart = exact.compose(both, 50).get_epsilon(1e-5)
        whole = PLDAccountant(value_discretization_interval=1e-3)
        together = whole.compose(GaussianDpEvent(joint_noise(gradient, count)), 50)
        assert together.get_epsilon(1e-5) == pytest.approx(apart, rel=5e-3)


def test_what_it_claims_is_what_fit_is_given(untrained, table, monkeypatch):
    seen: dict[str, Any] = {}
    monkeypatch.setattr(module, "fit", lambda net, batches, loss, **given: seen.update(given))
    monkeypatch.setattr(module, "check_intact", lambda *_: None)
    step = DPSGD(epsilon=3.0, steps=40, clip_norm=0.3, clipping=AdaptiveClipping(quantile=0.7))
    step(untrained, table.splits.seen, rng=seeded())
    rule, told, plan = seen["gradient"], step.claim(250).privacy, step.plan(250)
    assert rule.noise_multiplier == told["noise_multiplier"]
    assert rule.moving.count_noise == told["count_noise"]
    assert rule.moving.norm == told["clip_norm"] == 0.3
    assert (
        (rule.moving.quantile, rule.moving.pace) == (told["quantile"], told["pace"]) == (0.7, 0.2)
    )
    assert rule.moving.expected_size == rule.expected_size == 0.25 * 250
    assert joint_noise(rule.noise_multiplier, rule.moving.count_noise) == pytest.approx(plan.noise_multiplier)  # fmt: skip
    assert plan.epsilon() <= 3.0
    assert told["mechanism"] != DPSGD(**QUICK).claim(250).privacy["mechanism"]


def found(model, splits):
    (one,) = Epsilon()(model, splits, rng=seeded())
    assert isinstance(one, Evidence)
    return one


def test_the_probe_adds_up_both_noises(untrained, table):
    step = DPSGD(noise_multiplier=1.3, steps=10, clipping=AdaptiveClipping(count_noise=1.0))
    model = apply(step, "private", untrained, table.splits.seen, seeded(1))
    one, plain = found(model, table.splits), replace(step, clipping="flat").plan(250)
    assert one.high == pytest.approx(plain.epsilon(), rel=1e-6)
    noise = step.clipping.noise_on_gradient(1.3)  # type: ignore[union-attr]
    assert one.high > 1.02 * replace(plain, noise_multiplier=noise).epsilon()
    assert "σ_b = 1" in str(one.note)
    assert "C = 1 → Q(0.5)" in str(one.note)


@pytest.mark.parametrize(
    "bad",
    [
        {"count_noise": 0.0},
        {"count_noise": 1e-320},
        {"count_noise": nan},
        {"count_noise": "1"},
        {"count_noise": None},
    ],
)
def test_a_record_without_noise_on_the_count_guarantees_nothing(untrained, table, bad):
    told = {**DPSGD(**QUICK, clipping=AdaptiveClipping()).claim(250).privacy, **bad}
    record = Record("s", {}, "d", Claim(privacy=told))
    model = untrained.with_lineage((*untrained.lineage, record))
    assert found(model, table.splits).high == inf


def test_it_learns_from_a_norm_that_is_far_too_large(untrained, table):
    """The point: nobody has to know the norm of gradients beforehand."""
    step = DPSGD(insecure_seed=0, clip_norm=100.0, noise_multiplier=1.0, steps=150)
    fixed = step(untrained, table.splits.seen, rng=seeded())
    pace = AdaptiveClipping(pace=0.5)
    moved = replace(step, clipping=pace)(untrained, table.splits.seen, rng=seeded())
    a, b = (right(m, table) for m in (fixed, moved))
    assert b > 0.85
    assert b > a


def right(model, table):
    found = model.predict(table.splits.test.x).argmax(-1) == table.splits.test.y
    return float(found.double().mean())


class Plug(Exception):
    """Somebody pulls the plug."""


class Listener:
    def __init__(self, after: float) -> None:
        self.left = after

    def start(self, label, total):
        return 0

    def advance(self, handle):
        self.left -= 1
        if self.left < 0:
            raise Plug

    def scalar(self, label, value, index): ...
    def stop(self, handle): ...


def kept_run(step, model, seen, folder, after):
    kept = keeping(folder, rng := seeded(5), key="k", every_seconds=0)
    with progress.heard_by(Listener(after)), kept:
        return step(model, seen, rng=rng)


def test_after_an_interruption_it_goes_on_with_the_same_norm(untrained, table, tmp_path):
    step = DPSGD(insecure_seed=3, steps=8, noise_multiplier=1.0, clipping=AdaptiveClipping())
    seen, x = table.splits.seen, table.splits.test.x
    whole = step(untrained, seen, rng=seeded(5))
    for after in (2, 2):
        with pytest.raises(Plug):
            kept_run(step, untrained, seen, tmp_path / "k", after)
    again = kept_run(step, untrained, seen, tmp_path / "k", inf)
    assert torch.equal(whole.predict(x), again.predict(x))


def test_after_an_interruption_no_noise_comes_again(untrained, table, tmp_path, monkeypatch):
    """A batch that was begun and lost is noised anew, and clipped at the norm that was kept."""
    noises: list[torch.Tensor] = []
    entered: list[float] = []
    real, follow = module.ClippedNoisy.__call__, MovingNorm.follow

    def noisy(self, net, batch, loss):
        value = real(self, net, batch, loss)
        noises.append(torch.cat([p.grad.flatten() for p in net.parameters()]).clone())
        if len(noises) == 4:
            raise Plug
        return value

    def followed(self, excess, noise):
        entered.append(self.norm)
        follow(self, excess, noise)
        entered.append(self.norm)

    monkeypatch.setattr(module.ClippedNoisy, "__call__", noisy)
    monkeypatch.setattr(MovingNorm, "follow", followed)
    step = DPSGD(noise_multiplier=50.0, steps=6, clipping=AdaptiveClipping(pace=0.01))
    with pytest.raises(Plug):
        kept_run(step, untrained, table.splits.seen, tmp_path / "k", inf)
    kept_run(step, untrained, table.splits.seen, tmp_path / "k", inf)
    cosine = torch.corrcoef(torch.stack(noises)) - torch.eye(len(noises))
    assert len(noises) == 6 + 1
    assert float(cosine.abs().max()) < 0.5
    before, lost = entered[6], entered[7]
    assert entered[8] == before
    assert len({before, lost, entered[9]}) == 3


@pytest.mark.parametrize("count", [1e-320, 0.1, 0.5])
def test_a_count_that_costs_more_than_everything_is_refused(count):
    step = DPSGD(**QUICK, clipping=AdaptiveClipping(count_noise=count))
    with pytest.raises(BadRecipe, match="count_noise"):
        step.claim(250)


def test_batches_that_drown_in_noise_are_refused(untrained, table):
    step = DPSGD(noise_multiplier=1.0, steps=3, rate=0.001, clipping=AdaptiveClipping())
    with pytest.raises(BadRecipe, match="so small"):
        step(untrained, table.splits.seen, rng=seeded())


@pytest.mark.parametrize(
    "bad", [{"quantile": 0.0}, {"quantile": 1.0}, {"pace": 0.0}, {"count_noise": -1.0}]
)
def test_nonsense_is_refused_before_anything_runs(bad):
    with pytest.raises(BadRecipe):
        construct(AdaptiveClipping, bad, where="clipping")


@pytest.mark.parametrize("bad", [0.0, -1.0, inf, nan])
def test_noise_that_is_none_has_no_cost_to_tell(bad):
    for pair in ((bad, 1.0), (1.0, bad)):
        with pytest.raises(ValueError, match="positive and finite"):
            joint_noise(*pair)


def test_it_survives_the_recipe_file():
    step = DPSGD(clipping=AdaptiveClipping(quantile=0.3, count_noise=9.0))
    assert encode(step)["clipping"]["use"] == "privacy.AdaptiveClipping"
    assert decode(encode(step), Step) == step
