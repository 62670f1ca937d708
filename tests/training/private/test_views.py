"""Views of an example are averaged before its gradient is clipped."""

from typing import Any

import pytest
import torch
from torch import nn

from fivefold.core.data import Batch, as_tensor
from fivefold.core.loss import cross_entropy
from fivefold.training.private.views import over_views, stacked
from fivefold.training.private_gradient import ClippedNoisy
from onebyone import Net, check, clipped, distance, each, engine_sum
from seeding import seeded


def net():
    return Net(
        lambda s, x: s.b(s.n(torch.tanh(s.a(x.unflatten(1, (2, 2)))).mT).mean(1)),
        a=nn.Conv1d(2, 3, 2, padding=1), n=nn.LayerNorm(3), b=nn.Linear(3, 3),
    ).double()  # fmt: skip


def batch():
    return Batch(torch.randn(5, 4, generator=seeded(), dtype=torch.float64), torch.arange(5) % 3)


def test_one_view_is_the_example_itself():
    one = stacked(batch(), 1, lambda x: x)
    ours = engine_sum(made := net(), one, loss=over_views(cross_entropy))
    assert distance(ours, clipped(each(made, batch()), 0.5)) < 1e-8


@pytest.mark.parametrize("copies", [2, 3])
def test_the_mean_over_views_is_what_is_clipped(copies):
    own = seeded(1)
    views = stacked(batch(), copies, lambda x: x + torch.randn(x.shape, generator=own))
    made = net()
    check(made, views, over_views(cross_entropy))
    parts = [each(made, Batch(as_tensor(views.x)[:, k], views.y)) for k in range(copies)]
    mean = {n: torch.stack([p[n] for p in parts]).mean(0) for n in parts[0]}
    assert (
        distance(engine_sum(made, views, loss=over_views(cross_entropy)), clipped(mean, 0.5)) < 1e-8
    )


def test_inputs_may_be_a_mapping():
    views = stacked(Batch({"a": as_tensor(batch().x)}, batch().y), 2, lambda x: {"a": x["a"] * 2})
    ours = over_views(cross_entropy)(first_three, views)
    assert ours.shape == (5,)


def test_the_gradient_rule_looks_at_each_view():
    own, made = seeded(1), net()
    rule = ClippedNoisy(
        clip_norm=0.5, noise_multiplier=0.0, expected_size=1.0, noise=seeded(), views=2,
        change=lambda x: x + torch.randn(x.shape, generator=own),
    )  # fmt: skip
    rule(made, batch(), cross_entropy)
    found = {n: p.grad.clone() for n, p in made.named_parameters() if p.grad is not None}
    again = seeded(1)
    views = stacked(batch(), 2, lambda x: x + torch.randn(x.shape, generator=again))
    right = engine_sum(made, views, loss=over_views(cross_entropy))
    assert distance(found, right) < 1e-8


def first_three(x: Any) -> torch.Tensor:
    return x["a"][:, :3]
