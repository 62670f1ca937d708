"""Clipping, noise, and the one fact that privacy rests on: what an example can add is bounded."""

from copy import deepcopy
from math import inf, sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fivefold.core.data import Batch, as_tensor
from fivefold.core.errors import BadInput
from fivefold.core.loss import cross_entropy, squared_error
from fivefold.models import MLP, fresh
from fivefold.training.gradient import mean
from fivefold.training.private import alone
from fivefold.training.private_gradient import ClippedNoisy, clipped_sum
from seeding import seeded


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.LayerNorm(5), nn.Linear(5, 3))


def convnet() -> nn.Sequential:
    return nn.Sequential(
        nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 4, 2, padding=1), nn.GroupNorm(2, 4), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip


def tied() -> nn.Module:
    layer = nn.Linear(4, 4)
    return nn.Sequential(layer, nn.Tanh(), layer, nn.Linear(4, 3, bias=False))


def tied_weights() -> nn.Module:
    net = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4), nn.Linear(4, 3))
    net[2].weight = net[0].weight
    return net


def drawn(make, n, seed, scale=1.0):
    own, net = seeded(seed), make().double()
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=own, dtype=torch.float64))
    x = torch.randn(n, 4, generator=own, dtype=torch.float64) * scale
    return net, Batch(x, torch.randint(3, (n,), generator=own))


def looped(net, batch, loss, clip_norm):
    """The slow twin: one backward pass per example, clipped by hand."""
    names = [n for n, p in net.named_parameters() if p.requires_grad]
    weights = [p for p in net.parameters() if p.requires_grad]
    total = {n: torch.zeros_like(p) for n, p in zip(names, weights, strict=True)}
    for i in range(batch.size):
        slopes = torch.autograd.grad(loss(net, batch.take(slice(i, i + 1))).sum(), weights)
        norm = sqrt(sum(float(s.square().sum()) for s in slopes))
        for name, slope in zip(names, slopes, strict=True):
            total[name] += slope * min(1.0, clip_norm / norm)
    return total


def distance(a, b):
    return sqrt(sum(float((a[k] - b[k]).double().square().sum()) for k in a))


def filled(net, rule, batch, loss=cross_entropy):
    net = deepcopy(net)
    rule(net, batch, loss)
    return {n: p.grad for n, p in net.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("make", [mlp, convnet, tied, tied_weights])
@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    n=st.integers(1, 6),
    seed=st.integers(0, 1000),
    clip=st.sampled_from([0.01, 0.5, 3.0]),
    scale=st.sampled_from([0.1, 1.0, 30.0]),
)
def test_equals_a_loop_over_examples(make, n, seed, clip, scale):
    net, batch = drawn(make, n, seed, scale)
    ours, twin = (
        clipped_sum(net, batch, cross_entropy, clip),
        looped(net, batch, cross_entropy, clip),
    )
    assert ours.keys() == twin.keys()
    assert distance(ours, twin) <= 1e-5 * clip


def test_equals_the_loop_for_the_models_we_ship(untrained, table):
    batch = table.splits.seen.train.take(slice(0, 20))
    ours = clipped_sum(untrained.net, batch, cross_entropy, 0.3)
    assert distance(ours, looped(untrained.net, batch, cross_entropy, 0.3)) < 1e-5


def test_regression(numbers):
    net = fresh(MLP(hidden=(8,)), numbers, seeded()).net
    batch = numbers.splits.seen.train.take(slice(0, 20))
    ours = clipped_sum(net, batch, squared_error, 0.3)
    assert distance(ours, looped(net, batch, squared_error, 0.3)) < 1e-5


def test_inputs_may_be_a_mapping():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, x):
            return self.layer(x["a"] + x["b"])

    net, x = Two(), torch.randn(5, 4, generator=seeded())
    batch = Batch({"a": x, "b": x * 2}, torch.tensor([0, 1, 2, 0, 1]))
    ours = clipped_sum(net, batch, cross_entropy, 0.1)
    assert distance(ours, looped(net, batch, cross_entropy, 0.1)) < 1e-6


def test_pieces_of_a_batch_sum_to_the_whole(monkeypatch):
    net, batch = drawn(mlp, 7, 0)
    whole = clipped_sum(net, batch, cross_entropy, 0.5)
    monkeypatch.setattr(alone, "MOST_NUMBERS", 100)
    assert distance(clipped_sum(net, batch, cross_entropy, 0.5), whole) < 1e-12


@pytest.mark.parametrize("bad", [0.0, 1e3, 1e20, 1e38, inf, -inf, float("nan")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_example_moves_the_sum_by_at_most_the_clip_norm(bad, dtype):
    """The sensitivity of neighbouring batches, whatever the example holds."""
    net, batch = drawn(mlp, 6, 3)
    net, x = net.to(dtype), as_tensor(batch.x).to(dtype)
    x[2] = bad
    with_it = Batch(x, batch.y)
    without = with_it.take(torch.tensor([0, 1, 3, 4, 5]))
    clip = 0.7
    a = clipped_sum(net, with_it, cross_entropy, clip)
    b = clipped_sum(net, without, cross_entropy, clip)
    assert all(v.isfinite().all() for v in a.values())
    assert distance(a, b) <= clip * (1 + 1e-6)


def test_a_loss_that_mixes_examples_cannot_reach_another():
    """In-batch terms are cut off: each example is run alone, so the bound holds for any loss."""

    def contrastive(forward, batch):
        scores = forward(batch.x)
        return -(scores @ scores.T).log_softmax(1).diagonal() * 100 + cross_entropy(forward, batch)

    net, batch = drawn(mlp, 6, 5)
    a = clipped_sum(net, batch, contrastive, 0.5)
    b = clipped_sum(net, batch.take(slice(0, 5)), contrastive, 0.5)
    assert distance(a, b) <= 0.5 * (1 + 1e-6)


def test_a_mean_loss_does_not_weaken_the_clipping():
    """Clipping the gradient of a batch mean would let one example move it by far more than C / B."""

    def averaged(forward, batch):
        return cross_entropy(forward, batch).mean()

    net, batch = drawn(mlp, 6, 5)
    a = clipped_sum(net, batch, averaged, 0.5)
    assert distance(a, clipped_sum(net, batch, cross_entropy, 0.5)) < 1e-12


def test_without_noise_and_clipping_it_is_plain_gradient_descent():
    net, batch = drawn(mlp, 8, 1)
    rule = ClippedNoisy(clip_norm=inf, noise_multiplier=0.0, expected_size=8, noise=seeded())
    assert distance(filled(net, rule, batch), filled(net, mean, batch)) < 1e-12


def test_divides_by_the_expected_size_not_the_drawn_one():
    net, batch = drawn(mlp, 8, 1)
    rule = ClippedNoisy(clip_norm=inf, noise_multiplier=0.0, expected_size=80, noise=seeded())
    plain = {k: v / 10 for k, v in filled(net, mean, batch).items()}
    assert distance(filled(net, rule, batch), plain) < 1e-12


@pytest.mark.parametrize("n", [0, 8])
def test_noise_has_the_deviation_that_was_paid_for(n):
    """Also in an empty batch: leaving the noise out there would tell that nobody was drawn."""
    net, batch = drawn(lambda: nn.Sequential(nn.Linear(4, 4000), nn.Linear(4000, 3)), n, 1)
    rule = ClippedNoisy(clip_norm=0.5, noise_multiplier=3.0, expected_size=10, noise=seeded(5))
    noisy, clean = filled(net, rule, batch), clipped_sum(net, batch, cross_entropy, 0.5)
    noise = torch.cat([(noisy[k] * 10 - clean[k]).flatten() for k in clean])
    assert len(noise) > 30_000
    assert float(noise.std()) == pytest.approx(1.5, rel=0.02)
    assert abs(float(noise.mean())) < 4 * 1.5 / sqrt(len(noise))
    assert float(torch.corrcoef(torch.stack([noise[:-1], noise[1:]]))[0, 1]) == pytest.approx(
        0, abs=0.03
    )


def test_noise_is_new_in_every_step():
    net, batch = drawn(mlp, 8, 1)
    rule = ClippedNoisy(clip_norm=0.5, noise_multiplier=1.0, expected_size=10, noise=seeded(5))
    a, b, clean = (
        filled(net, rule, batch),
        filled(net, rule, batch),
        clipped_sum(net, batch, cross_entropy, 0.5),
    )
    first, second = (torch.cat([(g[k] * 10 - clean[k]).flatten() for k in clean]) for g in (a, b))
    assert abs(float(first @ second)) / float(first.norm() * second.norm()) < 0.5


def test_frozen_weights_are_left_alone():
    net, batch = drawn(mlp, 4, 1)
    net.get_parameter("0.weight").requires_grad_(False)
    rule = ClippedNoisy(clip_norm=0.5, noise_multiplier=1.0, expected_size=4, noise=seeded())
    assert filled(net, rule, batch).keys() == {"0.bias", "2.weight", "2.bias", "3.weight", "3.bias"}


def test_the_loss_of_a_batch_is_not_told():
    net, batch = drawn(mlp, 4, 1)
    rule = ClippedNoisy(clip_norm=0.5, noise_multiplier=1.0, expected_size=4, noise=seeded())
    assert rule(net, batch, cross_entropy).isnan()


@pytest.mark.parametrize(
    "layer", [nn.BatchNorm2d(4), nn.InstanceNorm2d(4, track_running_stats=True)]
)
def test_layers_that_learn_from_a_whole_batch_are_refused(layer):
    net = convnet()
    net[2] = layer
    with pytest.raises(BadInput, match="GroupNorm") as caught:
        clipped_sum(net, Batch(torch.randn(4, 4), torch.zeros(4).long()), cross_entropy, 1.0)
    assert caught.value.where == "2"
