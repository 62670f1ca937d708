"""Networks trained together are those trained one after another."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from fivefold.core.data import Batch
from fivefold.core.loss import cross_entropy, squared_error
from fivefold.models import MLP
from fivefold.training import SGD, AdamW, Cosine, Muon
from fivefold.training.together import train_apart, train_together, why_not_together
from seeding import seeded


def batches(n_rows: int, n_nets: int, size: int, steps: int = 9) -> Tensor:
    return torch.randint(n_rows, (steps, n_nets, size), generator=seeded(3))


def rngs(n: int, seed: int = 0):
    return [seeded(seed + i) for i in range(n)]


@pytest.mark.parametrize("which", ["table", "images", "numbers"])
def test_together_equals_one_after_another(which, request):
    data = request.getfixturevalue(which)
    pool = Batch(data.splits.test.x.double(), data.splits.test.y)
    if not data.task.is_classification:
        pool = Batch(pool.x, pool.y.double())
    loss = cross_entropy if data.task.is_classification else squared_error
    table = batches(pool.size, 4, 16)
    a, b = (
        [MLP(hidden=(8,)).build(data.schema, data.task, seeded(i)).double() for i in range(4)]
        for _ in "ab"
    )
    optimizer = AdamW(lr=1e-2, schedule=Cosine())
    train_together(a, pool, table, loss, optimizer, "training")
    train_apart(b, pool, table, loss, optimizer, rngs(4))
    for together, apart in zip(a, b, strict=True):
        for p, q in zip(together.parameters(), apart.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-9, atol=1e-9)
            assert p.requires_grad


def test_networks_of_the_house_are_trained_as_one(untrained, trained_images):
    for model in (untrained, trained_images):
        nets = [model.architecture.build(model.schema, model.task, seeded()) for _ in range(2)]
        pool = Batch(torch.rand(4, *model.schema.shape, generator=seeded()), torch.zeros(4).long())
        assert why_not_together(nets, pool, AdamW()) == ""


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.Linear(6, 6), nn.LayerNorm(6)])
def test_what_can_be_stacked(layer):
    nets = [nn.Sequential(layer, nn.Linear(6, 2)) for _ in range(2)]
    pool = Batch(torch.randn(4, 6, generator=seeded()), torch.zeros(4).long())
    why = why_not_together(nets, pool, AdamW())
    assert bool(why) == isinstance(layer, nn.Dropout)
    assert "optimizer" in why_not_together(nets, pool, Muon())


class Counting(nn.Module):
    """Remembers what it has seen."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.seen += x.mean()
        return x


def test_a_layer_with_a_memory_is_found():
    nets = [nn.Sequential(Counting(), nn.Linear(6, 2)) for _ in range(2)]
    pool = Batch(torch.ones(4, 6), torch.zeros(4).long())
    assert "running statistics" in why_not_together(nets, pool, AdamW())


@pytest.mark.parametrize("optimizer", [AdamW(lr=1e-2), SGD(lr=1e-2)])
def test_layers_without_a_batched_form_are_stacked_all_the_same(optimizer):
    """LayerNorm goes through vmap, and learns what it learns alone."""
    own = seeded(2)
    pool = Batch(torch.randn(40, 6, generator=own).double(), torch.randint(2, (40,), generator=own))
    a = [nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5), nn.Linear(5, 2)).double() for _ in "abc"]
    b = deepcopy(a)
    table = batches(40, 3, 8)
    train_together(a, pool, table, cross_entropy, optimizer, "training")
    train_apart(b, pool, table, cross_entropy, optimizer, rngs(3))
    for together, apart in zip(a, b, strict=True):
        for p, q in zip(together.parameters(), apart.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-9, atol=1e-9)


def test_random_layers_repeat_and_leave_the_global_generator_alone():
    pool = Batch(torch.randn(20, 6, generator=seeded()), torch.zeros(20).long())
    net = nn.Sequential(nn.Linear(6, 6), nn.Dropout(0.5), nn.Linear(6, 2))
    twice, state = [deepcopy(net), deepcopy(net)], torch.random.get_rng_state()
    table = batches(20, 1, 4)
    for one in twice:
        train_apart([one], pool, table, cross_entropy, AdamW(), rngs(1, 5))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(twice[0][0].weight, twice[1][0].weight)  # pyright: ignore[reportArgumentType]


def test_what_is_frozen_stays_as_it_is():
    own = seeded(2)
    pool = Batch(torch.randn(40, 6, generator=own), torch.randint(2, (40,), generator=own))
    nets = [nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2)) for _ in "abc"]
    for net in nets:
        net[0].weight.requires_grad_(False)
    alone, before = deepcopy(nets), deepcopy(nets)
    table = batches(40, 3, 8)
    train_together(nets, pool, table, cross_entropy, AdamW(lr=1e-2), "training")
    train_apart(alone, pool, table, cross_entropy, AdamW(lr=1e-2), rngs(3))
    for together, apart, old in zip(nets, alone, before, strict=True):
        first, last = next(iter(old.parameters())), list(old.parameters())[2]
        assert torch.equal(next(iter(together.parameters())), first)
        assert not torch.equal(list(together.parameters())[2], last)
        for p, q in zip(together.parameters(), apart.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-5)
