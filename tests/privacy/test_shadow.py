"""Shadows trained together are those trained one by one."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import nn

from fivefold.core.data import Batch
from fivefold.core.loss import cross_entropy, squared_error
from fivefold.learning import Finetune
from fivefold.models import MLP, TorchModel
from fivefold.privacy.shadow import Shadows, batch_table, halves, train_apart
from fivefold.privacy.stacked import train_together, why_not_together
from fivefold.training import SGD, AdamW, Cosine, Muon
from seeding import seeded


def shadows(**changed):
    return replace(Shadows(epochs=2, size=16, optimizer=AdamW()), **changed)


@pytest.mark.parametrize("which", ["table", "images", "numbers"])
def test_together_equals_one_after_another(which, request):
    data, own = request.getfixturevalue(which), seeded(1)
    pool = Batch(data.splits.test.x.double(), data.splits.test.y)
    if not data.task.is_classification:
        pool = Batch(pool.x, pool.y.double())
    loss = cross_entropy if data.task.is_classification else squared_error
    table = batch_table(halves(pool.size, 4, own), 16, 3, own)
    a, b = (
        [MLP(hidden=(8,)).build(data.schema, data.task, seeded(i)).double() for i in range(4)]
        for _ in "ab"
    )
    optimizer = AdamW(lr=1e-2, schedule=Cosine())
    train_together(a, pool, table, loss, optimizer)
    train_apart(b, pool, table, loss, optimizer, seeded())
    for together, apart in zip(a, b, strict=True):
        for p, q in zip(together.parameters(), apart.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-9, atol=1e-9)
            assert p.requires_grad


def test_each_shadow_reads_its_own_half_and_all_of_it():
    inside, own = halves(21, 4, seeded()), seeded(1)
    table = batch_table(inside, 4, 2, own)
    assert table.shape == (2 * 3, 4, 4)
    for i, mine in enumerate(inside):
        allowed = set(mine.nonzero()[:, 0].tolist())
        read = set(table[:, i].flatten().tolist())
        assert read <= allowed
        assert len(allowed - read) <= 1  # an epoch covers the smaller half in full


def test_a_half_smaller_than_a_batch():
    assert batch_table(halves(9, 2, seeded()), 64, 1, seeded()).shape == (1, 2, 4)


def test_layers_with_running_statistics_are_trained_apart(table):
    class Normed:
        def build(self, schema, task, rng):
            net = MLP(hidden=(8,)).build(schema, task, rng)
            return nn.Sequential(nn.BatchNorm1d(6), net).eval()

    model = TorchModel(
        Normed().build(table.schema, table.task, seeded()), table.task, table.schema, Normed()
    )
    told = shadows().outputs(model, table.splits.test, halves(100, 4, seeded()), seeded())
    assert told.output.shape == (4, 100, 2)
    assert "running statistics" in told.why_apart


def test_a_given_step_trains_each_shadow_on_its_half(untrained, table):
    pool = table.splits.test
    inside = halves(pool.size, 4, seeded())
    told = shadows(step=Finetune(epochs=30, optimizer=AdamW(lr=3e-2))).outputs(
        untrained, pool, inside, seeded()
    )
    right = told.output.argmax(-1) == pool.y
    assert told.output.shape == (4, 100, 2)
    assert float(right[inside].double().mean()) > 0.8


def test_a_shadow_learns_its_half_by_heart(untrained):
    """The labels are noise, so only rows inside can be known."""
    own = seeded(5)
    pool = Batch(torch.randn(60, 6, generator=own), torch.randint(2, (60,), generator=own))
    inside = halves(60, 4, own)
    told = shadows(epochs=80, optimizer=AdamW(lr=3e-2)).outputs(untrained, pool, inside, own)
    right = (told.output.argmax(-1) == pool.y).double()
    assert float(right[inside].mean()) > 0.9
    assert float(right[~inside].mean()) < 0.7


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
    table = batch_table(halves(40, 4, own)[:3], 8, 3, own)
    train_together(a, pool, table, cross_entropy, optimizer)
    train_apart(b, pool, table, cross_entropy, optimizer, seeded())
    for together, apart in zip(a, b, strict=True):
        for p, q in zip(together.parameters(), apart.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-9, atol=1e-9)


def test_random_layers_repeat_and_leave_the_global_generator_alone():
    pool = Batch(torch.randn(20, 6, generator=seeded()), torch.zeros(20).long())
    net = nn.Sequential(nn.Linear(6, 6), nn.Dropout(0.5), nn.Linear(6, 2))
    twice, state = [deepcopy(net), deepcopy(net)], torch.random.get_rng_state()
    table = batch_table(halves(20, 2, seeded())[:1], 4, 3, seeded())
    for one in twice:
        train_apart([one], pool, table, cross_entropy, AdamW(), seeded(5))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(twice[0][0].weight, twice[1][0].weight)  # pyright: ignore[reportArgumentType]


def test_heads_alone_learn_from_the_features_of_the_model(trained, table):
    pool = table.splits.test
    inside = halves(pool.size, 4, seeded())
    told = shadows(keeps_trunk=True, epochs=30, optimizer=AdamW(lr=3e-2)).outputs(
        trained, pool, inside, seeded()
    )
    assert float((told.output.argmax(-1) == pool.y).double().mean()) > 0.8
