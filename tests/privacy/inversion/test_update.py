"""Updates of clients are those of plain training, clipped and noised as the plan says."""

from copy import deepcopy
from math import inf

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fivefold.core.data import Batch
from fivefold.core.loss import cross_entropy
from fivefold.privacy.inversion.sight import Sight
from fivefold.privacy.inversion.update import Client, distance, drawn
from seeding import seeded


def a_net(kind="linear"):
    own = seeded(3)
    layers = [nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3)]
    if kind == "other":  # a layer that is no plain product
        layers = [nn.Linear(5, 7), nn.LayerNorm(7), nn.Tanh(), nn.Linear(7, 3)]
    net = nn.Sequential(*layers)
    with torch.no_grad():
        for w in net.parameters():
            w.copy_(torch.randn(w.shape, generator=own) / 2)
    return net


def twin(net, x, y, lr, steps, sight):
    """One client by plain backpropagation, one example after another."""
    copy = deepcopy(net)
    for _ in range(steps):
        total = [torch.zeros_like(w) for w in copy.parameters()]
        for i in range(len(y)):
            value = cross_entropy(copy, Batch(x[i : i + 1], y[i : i + 1])).sum()
            slopes = torch.autograd.grad(value, list(copy.parameters()))
            norm = float(sum(s.square().sum() for s in slopes)) ** 0.5
            short = 1.0 if sight.is_whole else min(1.0, sight.clip_norm / norm)
            total = [t + short * s / len(y) for t, s in zip(total, slopes, strict=True)]
        with torch.no_grad():
            for w, slope in zip(copy.parameters(), total, strict=True):
                w -= lr * slope
    moved = [(a - b).detach() for a, b in zip(net.parameters(), copy.parameters(), strict=True)]
    norm = float(sum(m.square().sum() for m in moved)) ** 0.5
    short = min(1.0, sight.clip_norm / norm) if sight.is_whole else 1.0
    return [short * m for m in moved]


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 99),
    size=st.integers(1, 3),
    steps=st.integers(1, 3),
    clip=st.sampled_from([inf, 0.1, 1.0]),
    is_whole=st.booleans(),
    kind=st.sampled_from(["linear", "other"]),
)
def test_equals_training_one_by_one(seed, size, steps, clip, is_whole, kind):
    own, net = seeded(seed), a_net(kind)
    x = torch.randn(2, size, 5, generator=own)
    y = torch.randint(3, (2, size), generator=own)
    sight = Sight(clip_norm=clip, is_whole=is_whole)
    found = Client(net, cross_entropy, 0.3, steps, sight).seen(x, y, own)
    for c in range(2):
        for name, wanted in zip(found, twin(net, x[c], y[c], 0.3, steps, sight), strict=True):
            torch.testing.assert_close(found[name][c], wanted, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("is_whole", [True, False])
def test_noise_is_that_of_the_plan(is_whole):
    net, steps, size = a_net(), 4, 2
    x, y = torch.zeros(300, size, 5), torch.zeros(300, size).long()
    quiet = Sight(clip_norm=0.5, is_whole=is_whole)
    loud = Sight(clip_norm=0.5, noise_multiplier=2.0, is_whole=is_whole)
    lr = 1e-3  # so small that noise does not change the next gradient
    a = Client(net, cross_entropy, lr, steps, quiet).seen(x, y, seeded())
    b = Client(net, cross_entropy, lr, steps, loud).seen(x, y, seeded())
    spread = torch.cat([(b[n] - a[n]).flatten(1) for n in a], 1).std()
    wanted = 1.0 if is_whole else lr * 1.0 / size * steps**0.5
    assert float(spread) == pytest.approx(wanted, rel=0.02)


def test_distance_is_zero_for_the_same_direction_alone():
    a = {"w": torch.tensor([[1.0, 2.0], [1.0, 0.0]])}
    b = {"w": torch.tensor([[3.0, 6.0], [0.0, 5.0]])}
    torch.testing.assert_close(distance(a, b), torch.tensor([0.0, 1.0]), atol=1e-6, rtol=0)


def test_no_row_is_with_two_clients():
    rows = drawn(10, 8, 3, seeded())
    assert rows.shape == (3, 3)
    assert len(rows.flatten().unique()) == 9
