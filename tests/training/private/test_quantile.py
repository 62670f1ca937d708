"""A clip norm that follows a quantile, and what one example can do to the two numbers it rests on."""

from copy import deepcopy
from math import exp, inf, sqrt
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fivefold.core.data import Batch, Draws, as_tensor
from fivefold.core.loss import cross_entropy
from fivefold.training import SGD, fit
from fivefold.training.gradient import mean
from fivefold.training.private.clipping import BAND, Automatic, Flat, PerLayer, within
from fivefold.training.private.engine import Engine
from fivefold.training.private.quantile import MovingNorm
from fivefold.training.private_gradient import ClippedNoisy
from onebyone import clipped, distance, each, norms
from seeding import seeded


def net(dtype=torch.float64):
    made = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.LayerNorm(5), nn.Linear(5, 3)).to(dtype)
    own = seeded(2)
    with torch.no_grad():
        for p in made.parameters():
            p.copy_(torch.randn(p.shape, generator=own, dtype=torch.float64))
    return made


def drawn(n=6, seed=0, dtype=torch.float64):
    own = seeded(seed)
    x = torch.randn(n, 4, generator=own, dtype=torch.float64).to(dtype)
    return Batch(x, torch.randint(3, (n,), generator=own))


def moving(norm=1.0, **more: Any):
    given: dict[str, Any] = {
        "quantile": 0.5,
        "pace": 0.2,
        "count_noise": 0.0,
        "expected_size": 6.0,
        **more,
    }
    return MovingNorm(norm=norm, **given)


def counted(norms, clip_norm):
    """The slow twin: half of what the examples within the norm outnumber the others by."""
    shares = [min(1.0, max(0.0, 0.5 + (1 - float(n) / clip_norm) / BAND)) for n in norms]
    return sum(s - 0.5 for s in shares)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    n=st.integers(0, 9),
    seed=st.integers(0, 1000),
    clip=st.sampled_from([0.3, 1.0, 2.0, 8.0]),
    most=st.sampled_from([None, 1, 4]),
    method=st.sampled_from(["auto", "alone"]),
)
def test_the_count_equals_a_loop_over_examples(n, seed, clip, most, method):
    made, batch = net(), drawn(n, seed)
    engine = Engine(method=method, most=most)
    total, excess = engine.clipped(made, batch, cross_entropy, Flat(), clip)
    if not n:
        assert excess == 0.0
        return
    truth = each(made, batch)
    assert distance(total, clipped(truth, clip)) < 1e-8
    assert excess == pytest.approx(counted(norms(truth), clip), abs=1e-6)


def test_far_from_the_norm_it_is_a_plain_count():
    squares = {"w": torch.tensor([0.0, 0.5, 0.98, 1.02, 3.0, inf]) ** 2}
    assert within(squares, 1.0).tolist() == [1, 1, 1, 0, 0, 0]
    assert within(squares, inf)[:5].tolist() == [1] * 5


def test_rounding_does_not_make_the_count_jump():
    norm = torch.tensor([1 - 1e-7, 1.0, 1 + 1e-7], dtype=torch.float64)
    found = within({"w": norm.square()}, 1.0)
    assert float(found.max() - found.min()) < 1e-4


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    n_within=st.lists(st.integers(0, 6), min_size=1, max_size=8),
    quantile=st.sampled_from([0.1, 0.5, 0.9]),
    pace=st.sampled_from([0.05, 0.2, 1.0]),
)
def test_it_moves_as_in_the_paper(n_within, quantile, pace):
    ours, slow = moving(0.7, quantile=quantile, pace=pace), 0.7
    for n in n_within:
        ours.follow(n - 6 / 2, seeded())
        slow = slow * exp(-pace * (n / 6 - quantile))
    assert ours.norm == pytest.approx(slow, rel=1e-9)


def test_the_noise_on_the_count_has_the_deviation_that_was_paid_for():
    source, found = seeded(3), []
    for _ in range(4000):
        one = moving(count_noise=3.0, pace=0.01)
        one.follow(0.0, source)
        found.append(torch.tensor(one.norm).log() * 6 / 0.01)
    noise = torch.stack(found)
    assert float(noise.std()) == pytest.approx(3.0, rel=0.05)
    assert abs(float(noise.mean())) < 4 * 3.0 / sqrt(4000)


def test_it_settles_where_the_quantile_is():
    """The point: from far too small or far too large, with noise on the count."""
    norm = torch.rand(500, generator=seeded(), dtype=torch.float64) + 1  # the 0.8-quantile is 1.8
    for start in (1e-3, 1e3):
        one, source = moving(start, quantile=0.8, count_noise=25.0, expected_size=500.0), seeded(1)
        for _ in range(200):
            one.follow(float(within({"w": norm.square()}, one.norm).sum()) - 250, source)
        assert one.norm == pytest.approx(1.8, abs=0.1)


def test_no_noise_throws_the_norm_out_of_the_numbers():
    one, source = moving(count_noise=1e9), seeded()
    for _ in range(50):
        before = one.norm
        one.follow(0.0, source)
        assert exp(-1.001) <= one.norm / before <= exp(1.001)


@pytest.mark.parametrize("clipping", [Flat(), PerLayer(), Automatic()], ids=str)
@pytest.mark.parametrize("bad", [0.0, 1.0, 1e3, 1e20, 1e38, inf, -inf, float("nan")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_example_moves_sum_and_count_by_no_more_than_is_paid_for(clipping, bad, dtype):
    """The sensitivity of the joint answer, in units of its noise, for neighbouring batches."""
    made, batch = net(dtype), drawn(dtype=dtype)
    x = as_tensor(batch.x)
    x[2] = bad
    rest = batch.take(torch.tensor([0, 1, 3, 4, 5]))
    for clip in (0.05, 0.7, 20.0):
        a, with_it = Engine().clipped(made, batch, cross_entropy, clipping, clip)
        b, without = Engine().clipped(made, rest, cross_entropy, clipping, clip)
        assert distance(a, b) <= clip * (1 + 1e-5)
        assert abs(with_it - without) <= 0.5 + 1e-4


def test_the_bound_on_both_is_reached_at_once():
    """So the count must be paid for: a gradient just as long as the norm moves both by all they may."""
    made, batch = net(), drawn()
    rest = batch.take(torch.tensor([0, 1, 3, 4, 5]))
    clip = float(norms(each(made, batch))[2]) * 0.9
    a, with_it = Engine().clipped(made, batch, cross_entropy, Flat(), clip)
    b, without = Engine().clipped(made, rest, cross_entropy, Flat(), clip)
    assert distance(a, b) == pytest.approx(clip, rel=1e-5)
    assert abs(with_it - without) == pytest.approx(0.5, abs=1e-5)


def rule(one, **more: Any):
    given: dict[str, Any] = {
        "clip_norm": 123.0,
        "noise_multiplier": 0.0,
        "expected_size": 6.0,
        **more,
    }
    return ClippedNoisy(noise=seeded(), moving=one, **given)


def test_each_batch_is_clipped_at_the_norm_that_the_batches_before_led_to():
    made, one = net(), moving(0.5)
    made_by_rule, bound = rule(one), 0.5
    for seed in range(4):
        batch = drawn(6, seed)
        made_by_rule(made, batch, cross_entropy)
        truth = each(made, batch)
        right = {n: g / 6 for n, g in clipped(truth, bound).items()}
        found = {n: p.grad for n, p in made.named_parameters() if p.grad is not None}
        assert distance(found, right) < 1e-8
        bound *= exp(-0.2 * (counted(norms(truth), bound) / 6 + 0.5 - 0.5))
        assert one.norm == pytest.approx(bound, rel=1e-6)


def test_the_noise_follows_the_norm():
    wide = nn.Sequential(nn.Linear(4, 4000), nn.Linear(4000, 3))
    none = drawn(0, dtype=torch.float32)
    rule(moving(0.25), noise_multiplier=2.0)(wide, none, cross_entropy)
    noise = torch.cat([p.grad.flatten() for p in wide.parameters() if p.grad is not None]) * 6
    assert float(noise.std()) == pytest.approx(0.5, rel=0.02)


def test_an_empty_batch_is_a_step_of_noise_for_the_count_too():
    one = moving(count_noise=2.0)
    rule(one, noise_multiplier=1.0)(net(), drawn(0), cross_entropy)
    assert one.norm != 1.0


def test_without_noise_and_with_room_it_is_plain_gradient_descent():
    batch, ways = drawn(8), []
    for gradient in (mean, rule(moving(1e9, pace=1e-9), expected_size=8.0)):
        made = net()
        fit(made, three_times(batch), cross_entropy, gradient=gradient, optimizer=SGD(lr=0.1))
        ways.append({n: p.detach() for n, p in made.named_parameters()})
    assert distance(ways[0], ways[1]) < 1e-9


def test_what_is_kept_brings_it_back():
    one = moving(0.37)
    other = moving(5.0).set_state(deepcopy(one.get_state()))
    assert other == one
    kept = one.get_state()
    one.follow(1.0, seeded())
    assert float(kept) == 0.37


def three_times(batch):
    return Draws(batch, lambda _: iter([torch.arange(batch.size)] * 3), 3, 0)
