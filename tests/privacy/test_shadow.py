"""Shadows learn their own halves, together where they can."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from fivefold.core.data import Batch
from fivefold.learning import Finetune
from fivefold.models import MLP, TorchModel
from fivefold.privacy.shadow import Shadows, batch_table, halves
from fivefold.training import AdamW
from seeding import seeded


def shadows(**changed):
    return replace(Shadows(epochs=2, size=16, optimizer=AdamW()), **changed)


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


def test_heads_alone_learn_from_the_features_of_the_model(trained, table):
    pool = table.splits.test
    inside = halves(pool.size, 4, seeded())
    told = shadows(keeps_trunk=True, epochs=30, optimizer=AdamW(lr=3e-2)).outputs(
        trained, pool, inside, seeded()
    )
    assert float((told.output.argmax(-1) == pool.y).double().mean()) > 0.8


@pytest.mark.parametrize("step", [None, Finetune(epochs=1)])
def test_the_shadows_themselves_answer_what_they_are_said_to(step, trained, table):
    inside, pool = halves(250, 4, seeded()), table.splits.seen.train
    told = shadows(step=step).outputs(trained, pool, inside, seeded(1)).output
    models = shadows(step=step).models(trained, pool, inside, seeded(1)).models
    assert torch.equal(torch.stack([m.predict(pool.x).double() for m in models]), told)
