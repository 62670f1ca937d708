"""Clients trained together move as clients trained apart."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from federation import layout_of, local, mlp, ragged, read, site_of, twin, updates
from fivefold.core.data import Batch, as_tensor
from fivefold.core.errors import BadRecipe
from fivefold.core.loss import cross_entropy
from fivefold.core.task import Task
from fivefold.privacy.federated.engine import Kind, Serial, Stacked, choose
from fivefold.privacy.federated.local import prepared
from fivefold.privacy.federated.order import programs, table
from fivefold.privacy.federated.partition import clients_of
from fivefold.privacy.federated.products import Products
from seeding import seeded

CLOSE = 1e-5
KINDS = ("products", "stacked", "serial")


@given(
    sizes=st.lists(st.integers(1, 23), min_size=1, max_size=7),
    batch_size=st.integers(1, 9),
    epochs=st.integers(1, 3),
    proximal=st.sampled_from([0.0, 0.3]),
    most=st.integers(1, 8),
    has_drift=st.booleans(),
)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_every_engine_is_sgd_of_each_client(sizes, batch_size, epochs, proximal, most, has_drift):
    net, (data, owner) = mlp(), ragged(sizes)
    ids, start = torch.arange(len(sizes)).flip(0), read(net, layout_of(net))
    how = local(batch_size=batch_size, epochs=epochs, proximal=proximal)
    drift = torch.randn(len(sizes), len(start), generator=seeded(3)) * 0.1 if has_drift else None
    for kind in KINDS:
        site = site_of(net, data, owner, how, kind, most=most)
        found = updates(site, start, ids, 2, drift)
        slow = twin(net, site, ids, 2, drift=drift)
        assert float((found - slow).abs().max()) < CLOSE


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layer", [nn.Tanh, nn.ReLU])
def test_regression_and_other_activations(kind, layer):
    task, net = Task(kind="regression"), mlp(layer, n_out=1)
    data, owner = ragged([5, 3, 9])
    data = Batch(data.x, data.y.float())
    site = site_of(net, data, owner, local(lr=0.05), kind, task)
    ids = torch.arange(3)
    found = updates(site, read(net, layout_of(net)), ids)
    assert float((found - twin(net, site, ids, task=task)).abs().max()) < CLOSE


@pytest.mark.parametrize("kind", KINDS)
def test_no_bias_two_activations_and_an_activation_first(kind):
    first = nn.Linear(4, 7, bias=False)
    nn.init.orthogonal_(first.weight, generator=seeded(4))
    net = nn.Sequential(nn.Tanh(), first, nn.Tanh(), nn.ReLU(), mlp()[2])
    data, owner = ragged([6, 11])
    site, ids = site_of(net, data, owner, local(), kind), torch.arange(2)
    found = updates(site, read(net, layout_of(net)), ids)
    assert float((found - twin(net, site, ids)).abs().max()) < CLOSE


@pytest.mark.parametrize("kind", KINDS)
def test_one_client_one_epoch_full_batch_is_a_step_of_gradient_descent(kind):
    net, (data, owner) = mlp(), ragged([17])
    site = site_of(net, data, owner, local(batch_size=17, epochs=1), kind)
    found = updates(site, read(net, layout_of(net)), torch.tensor([0]))[0]
    slopes = torch.autograd.grad(cross_entropy(net, data).mean(), list(net.parameters()))
    assert torch.allclose(found, -0.2 * torch.cat([s.flatten() for s in slopes]), atol=1e-6)


def test_a_client_does_not_feel_another_one_break():
    """Weights of one client that are not finite leave the others as they are."""
    net, (data, owner) = mlp(), ragged([9, 9, 4])
    start, ids = read(net, layout_of(net)), torch.arange(3)
    as_tensor(data.x)[owner == 1] = torch.inf
    for kind in ("products", "stacked"):
        site = site_of(net, data, owner, local(), kind)
        found = updates(site, start, ids)
        assert not found[1].isfinite().all()
        assert torch.allclose(found[[0, 2]], twin(net, site, ids[[0, 2]]), atol=CLOSE)


def test_the_engine_follows_from_kind_and_size():
    data, _ = ragged([4])

    def kind(net, asked: Kind = "auto"):
        return type(choose(asked, net, data, cross_entropy, True).engine)

    assert kind(mlp()) is Products
    odd = nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5), nn.Linear(5, 3))
    assert kind(odd) is Stacked
    assert kind(nn.Sequential(nn.Linear(4, 40_000), nn.GELU(), nn.Linear(40_000, 3))) is Serial
    frozen = mlp()
    frozen[0].weight.requires_grad_(False)
    assert kind(frozen) is Stacked
    with pytest.raises(BadRecipe, match="linear layers"):
        kind(odd, "products")


class Branching(nn.Module):
    """Looks at numbers, which cannot be done for many clients at once."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = mlp()[0]

    def forward(self, x):
        value = self.layer(x)
        return value[:, :3] if float(value.sum()) > 1e9 else value[:, 1:4]


def test_what_cannot_be_stacked_is_trained_one_by_one():
    net, (data, owner) = Branching(), ragged([5, 8])
    site, ids = site_of(net, data, owner, local(), "auto"), torch.arange(2)
    assert isinstance(site.chosen.engine, Serial)
    found = updates(site, read(net, layout_of(net)), ids)
    assert float((found - twin(net, site, ids)).abs().max()) < CLOSE


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    batch_size=st.integers(1, 40),
    epochs=st.integers(1, 3),
)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_each_client_reads_each_of_its_rows_once_an_epoch(sizes, batch_size, epochs):
    _, owner = ragged(sizes)
    clients, how = clients_of(owner), local(batch_size=batch_size, epochs=epochs)
    ids = clients.size.argsort(descending=True, stable=True)
    plan = table(clients, ids, torch.arange(len(sizes)), 1, how)
    for place, one in enumerate(ids.tolist()):
        is_real = plan.share[place] > 0
        rows = plan.rows[place][is_real]
        assert (
            rows.bincount(minlength=len(owner)).tolist()
            == (owner == one).int().mul(epochs).tolist()
        )
        sums = plan.share[place].sum(-1)
        assert torch.allclose(sums[is_real.any(-1)], torch.ones(1))
        assert int(is_real.any(-1).sum()) == int(how.steps(clients.size[one]))


def test_orders_differ_by_client_round_and_epoch_and_not_by_company():
    _, owner = ragged([20, 20, 20])
    clients, how, seed = clients_of(owner), local(batch_size=20), torch.tensor([1, 2, 3])
    ids = torch.arange(3)
    plan = table(clients, ids, seed, 0, how).rows - clients.start[:, None, None]
    alone = table(clients, ids[1:2], seed[1:2], 0, how).rows
    assert torch.equal(alone[0], table(clients, ids, seed, 0, how).rows[1])
    assert not torch.equal(plan[0, 0], plan[0, 1])
    later = table(clients, ids, seed, 1, how).rows
    assert not torch.equal(later[0], table(clients, ids, seed, 0, how).rows[0])


def test_orders_are_uniform():
    """Each row of a client comes first in a fifth of 4000 orders, within five deviations."""
    clients, how = clients_of(torch.zeros(5, dtype=torch.int64)), local(batch_size=1, epochs=4000)
    first = table(clients, torch.tensor([0]), torch.tensor([77]), 3, how).rows[0, ::5, 0]
    counts = first.bincount(minlength=5).double()
    assert float((counts - 800).abs().max()) < 5 * (4000 * 0.2 * 0.8) ** 0.5


def test_programs_share_out_all_clients_by_size():
    size = torch.tensor([3, 100, 1, 60, 30, 9, 9, 50])
    found = list(programs(size, 64, 3))
    assert torch.cat(found).sort().values.tolist() == list(range(8))
    for places in found:
        width = size[places].clamp(max=64)
        assert len(places) <= 3
        assert int(width[0]) == int(width.max()) <= 2 * int(width.min())


def test_preparation_is_done_once(images):
    from fivefold.models import MLP, fresh

    model = fresh(MLP(hidden=(5,)), images, seeded())
    data = images.splits.seen.train
    body, eaten = prepared(model.net, data)
    assert as_tensor(eaten.x).shape == (data.size, 64)
    assert torch.equal(body(eaten.x), model.net(data.x))
    assert [id(p) for p in body.parameters()] == [id(p) for p in model.net.parameters()]


class OfWords(nn.Module):
    """A bag of words beside two numbers; one table of words is frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(11, 4, padding_idx=0)
        self.frozen = nn.Embedding(11, 4).requires_grad_(False)
        self.norm, self.head = nn.LayerNorm(6), nn.Linear(6, 3)

    def forward(self, x):
        told = (self.words(x["words"]) + self.frozen(x["words"])).mean(-2)
        return self.head(self.norm(torch.cat([told, x["numbers"]], -1)))


def pictures():
    layers = (nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    return nn.Sequential(*layers, nn.Linear(16, 3))


@pytest.mark.parametrize("which", ["words", "pictures"])
def test_other_networks_are_stacked(which):
    _, owner = ragged([5, 8, 3])
    own, y = seeded(4), torch.arange(16) % 3
    words = torch.randint(11, (16, 5), generator=own)
    x = {"words": words, "numbers": torch.randn(16, 2, generator=own)}
    shown = torch.rand(16, 1, 6, 6, generator=own)
    with torch.random.fork_rng():
        torch.random.set_rng_state(own.get_state())
        net = OfWords() if which == "words" else pictures()
    data = Batch(x if which == "words" else shown, y)
    ids, start, found = torch.arange(3), read(net, layout_of(net)), []
    for kind in ("auto", "serial"):
        site = site_of(net, data, owner, local(), kind)
        assert isinstance(site.chosen.engine, Stacked if kind == "auto" else Serial)
        found.append(updates(site, start, ids))
    assert float((found[0] - found[1]).abs().max()) < CLOSE
    assert float(found[0].abs().max()) > 0.01
