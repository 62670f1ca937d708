"""Shadows trained together are those trained one by one."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from fivefold.core.data import Batch
from fivefold.core.loss import cross_entropy, squared_error
from fivefold.learning import Finetune
from fivefold.models import MLP, TorchModel
from fivefold.privacy.shadow import Shadows, batch_table, halves, train_apart, train_together
from fivefold.training import AdamW, Cosine
from seeding import seeded


def shadows(**changed):
    return replace(Shadows(epochs=2, size=16, optimizer=AdamW()), **changed)


@pytest.mark.parametrize("which", ["table", "images", "numbers"])
def test_together_equals_one_after_another(which, request):
    data, own = request.getfixturevalue(which), seeded(1)
    pool = data.splits.test
    loss = cross_entropy if data.task.is_classification else squared_error
    table = batch_table(halves(pool.size, 4, own), 16, 3, own)
    build = lambda: [MLP(hidden=(8,)).build(data.schema, data.task, seeded(i)) for i in range(4)]  # noqa: E731
    a, b = build(), build()
    optimizer = AdamW(lr=1e-2, schedule=Cosine())
    train_together(a, pool, table, loss, optimizer)
    train_apart(b, pool, table, loss, optimizer)
    for together, apart in zip(a, b, strict=True):
        for p, q in zip(together.parameters(), apart.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-5)
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
    assert told.shape == (4, 100, 2)


def test_a_given_step_trains_each_shadow_on_its_half(untrained, table):
    pool = table.splits.test
    inside = halves(pool.size, 4, seeded())
    told = shadows(step=Finetune(epochs=30, optimizer=AdamW(lr=3e-2))).outputs(
        untrained, pool, inside, seeded()
    )
    right = told.argmax(-1) == pool.y
    assert told.shape == (4, 100, 2)
    assert float(right[inside].double().mean()) > 0.8


def test_a_shadow_learns_its_half_by_heart(untrained):
    """The labels are noise, so only rows inside can be known."""
    own = seeded(5)
    pool = Batch(torch.randn(60, 6, generator=own), torch.randint(2, (60,), generator=own))
    inside = halves(60, 4, own)
    told = shadows(epochs=80, optimizer=AdamW(lr=3e-2)).outputs(untrained, pool, inside, own)
    right = (told.argmax(-1) == pool.y).double()
    assert float(right[inside].mean()) > 0.9
    assert float(right[~inside].mean()) < 0.7
