"""Canaries have the gradient they are meant to have, and private training treats them as any row."""

from copy import deepcopy

import pytest
import torch

from fivefold.core.data import Batch, Inputs, as_tensor
from fivefold.core.loss import cross_entropy, squared_error
from fivefold.models import MLP, fresh
from fivefold.privacy.audit.canary import (
    BLANK,
    MARK,
    REAL,
    Amplified,
    Coordinates,
    Pulled,
    inputs_of,
    marked,
    strangers,
)
from fivefold.privacy.audit.plant import PLANTING, Soil
from fivefold.privacy.audit.slopes import shares, slopes, trainable
from fivefold.training.private_gradient import clipped_sum
from seeding import seeded


def gradient_of(net, x, y, loss):
    """The gradient of one row's loss, flat."""
    told = loss(net, Batch(x, y)).sum()
    parts = torch.autograd.grad(told, trainable(net), allow_unused=True, materialize_grads=True)
    return torch.cat([p.flatten() for p in parts])


@pytest.mark.parametrize("kind", ["table", "numbers"])
def test_a_canary_in_a_weight_pulls_at_one_number_alone(kind, request):
    data = request.getfixturevalue(kind)
    loss = cross_entropy if data.task.is_classification else squared_error
    net = fresh(MLP(hidden=(5,)), data, seeded()).net
    where = Coordinates.drawn(net, 1000, seeded())
    assert len(where) == sum(w.numel() for w in trainable(net))
    around, seen = Pulled(net, where, 100.0), set()
    target = torch.zeros(1, dtype=torch.int64) if data.task.is_classification else torch.ones(1)
    for i in range(len(where)):
        x = marked(data.splits.test.x[:1], torch.tensor([i]))
        gradient = gradient_of(around, x, target, loss)
        (place,) = gradient.nonzero()[:, 0].tolist()
        assert float(gradient[place]) >= 50.0
        read = where.read(dict(zip(where.names, _split(gradient, net), strict=True)))
        assert read.nonzero()[:, 0].tolist() == [i]
        seen.add(place)
    assert len(seen) == len(where)


def _split(flat, net):
    parts = flat.split([w.numel() for w in trainable(net)])
    return [p.view_as(w) for p, w in zip(parts, trainable(net), strict=True)]


def test_canaries_are_shared_out_over_the_weights(untrained):
    where = Coordinates.drawn(untrained.net, 40, seeded())
    assert where.owner.bincount().tolist() == [13, 13, 12, 2]


@pytest.mark.parametrize("mark", [REAL, BLANK])
def test_who_is_no_canary_is_left_alone(untrained, table, mark):
    where = Coordinates.drawn(untrained.net, 20, seeded())
    x, y = table.splits.test.x[:4], table.splits.test.y[:4]
    given = marked(x, torch.full((4,), mark))
    strange = Amplified(untrained.net, torch.randn(20, 2), torch.ones(20))
    for around in (Pulled(untrained.net, where, 1e4), strange):
        found = gradient_of(around, given, y, cross_entropy)
        wanted = gradient_of(untrained.net, x, y, cross_entropy) * (mark == REAL)
        assert torch.allclose(found, wanted, atol=1e-6)


def test_the_gradient_does_not_fade(untrained, table):
    """An ordinary example is soon learned; a canary asks for as much at every step."""
    planted = PLANTING["rows"](soil(untrained, table), seeded())
    x = marked(planted.x, torch.arange(planted.size))
    one = {k: v[:1] for k, v in x.items()}
    before = gradient_of(planted.net, one, torch.zeros(1).long(), cross_entropy)
    moved = deepcopy(planted.net)
    with torch.no_grad():
        for weight, step in zip(trainable(moved), _split(before, moved), strict=True):
            weight -= 0.01 * step / before.norm()
    after = gradient_of(moved, one, torch.zeros(1).long(), cross_entropy)
    assert float(before.norm()) == pytest.approx(1e4, rel=1e-2)
    assert float(after.norm()) == pytest.approx(1e4, rel=0.2)


def soil(model, data, most=40):
    return Soil(model.net, data.splits.seen.train.take(slice(0, 8)), cross_entropy, most, 1.0)


@pytest.mark.parametrize("kind", ["weights", "rows"])
def test_a_released_sum_is_read_in_units_of_the_clip_norm(untrained, table, kind):
    planted = PLANTING[kind](soil(untrained, table, 20), seeded())
    inside = torch.arange(planted.size) % 2 == 0
    marks = torch.arange(planted.size).masked_fill(~inside, BLANK)
    batch = Batch(marked(planted.x, marks), torch.zeros(planted.size).long())
    total = clipped_sum(planted.net, batch, cross_entropy, 1.0)
    weights = trainable(planted.net)
    for weight, (name, own) in zip(weights, planted.net.named_parameters(), strict=True):
        assert own is weight
        weight.grad = total[name]
    read = planted.reading(weights)
    assert torch.allclose(read, inside.double(), atol=0.05 if kind == "rows" else 1e-4)


@pytest.mark.parametrize("layers", ["batched", "one by one"])
def test_slopes_are_the_gradients_of_single_rows(untrained, table, layers, monkeypatch):
    net, x = untrained.net, table.splits.test.x[:6]
    wanted = [torch.cat([p.flatten() for p in _alone(net, x[i : i + 1])]) for i in range(6)]
    if layers == "one by one":
        _no_batches(monkeypatch)
    found = slopes(net, lambda: net(x)[:, 0])
    assert torch.allclose(found, torch.stack(wanted).double(), atol=1e-6)


def _alone(net, x):
    return torch.autograd.grad(net(x)[:, 0].sum(), trainable(net))


def _no_batches(monkeypatch):
    plain = torch.autograd.grad

    def grad(*args, is_grads_batched=False, **kwargs):
        if is_grads_batched:
            raise RuntimeError
        return plain(*args, **kwargs)

    monkeypatch.setattr(torch.autograd, "grad", grad)


def test_shares_take_out_what_rows_have_in_common():
    own = torch.randn(5, 40, generator=seeded()).double()
    alike = own + 3 * own.mean(0)
    unit = alike / alike.norm(dim=1, keepdim=True)
    inside = torch.tensor([1.0, 0, 0, 1, 0]).double()
    assert torch.allclose(shares(inside @ unit, alike), inside, atol=0.01)
    assert not torch.allclose(unit @ (inside @ unit), inside, atol=0.3)


def test_inputs_of_several_tensors_keep_their_names():
    x: Inputs = {"ids": torch.arange(6).view(3, 2), "mask": torch.ones(3, 2)}
    given = marked(x, torch.tensor([REAL, 0, 1]))
    assert given.keys() == {"ids", "mask", MARK}
    plain = inputs_of(given)
    assert isinstance(plain, dict)
    assert plain.keys() == {"ids", "mask"}
    some = strangers(x, 5, seeded())
    assert isinstance(some, dict)
    assert some["ids"].shape == (5, 2)
    assert {tuple(r) for r in some["ids"].tolist()} <= {tuple(r) for r in x["ids"].tolist()}


def test_strangers_have_real_values_in_their_own_columns(table):
    x = table.splits.test.x
    rows = as_tensor(strangers(x, 50, seeded()))
    assert all(bool(torch.isin(rows[:, i], x[:, i]).all()) for i in range(6))
    assert not any(bool((x == row).all(1).any()) for row in rows)
