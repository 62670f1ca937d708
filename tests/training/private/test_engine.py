"""What the engine refuses, what it falls back to, and the bound that privacy rests on."""

from math import inf

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from fivefold.core import progress
from fivefold.core.data import Batch, as_tensor
from fivefold.core.errors import BadInput
from fivefold.core.loss import cross_entropy
from fivefold.training.private import alone
from fivefold.training.private.clipping import BELOW_ONE, Automatic, Flat, PerLayer
from fivefold.training.private.engine import Engine
from fivefold.training.private.untracked import Untracked
from onebyone import Net, clipped, distance, each, engine_sum, norms, trainable
from seeding import seeded


def drawn(n=6, seed=0, dtype=torch.float64):
    own = seeded(seed)
    x = torch.randn(n, 4, generator=own, dtype=dtype)
    return Batch(x, torch.randint(3, (n,), generator=own))


def mlp(dtype=torch.float64):
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.LayerNorm(5), nn.Linear(5, 3)).to(dtype)
    own = seeded(1)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=own, dtype=torch.float64))
    return net


def sequence(dtype=torch.float64):
    """Attention, convolution, embedding-free: every kind of sum over positions."""
    net = Net(
        lambda s, x: s.b(s.n(s.c(s.m(*3 * [s.a(x)])[0].mT).mT).mean(1)),
        a=nn.Linear(4, 8), m=nn.MultiheadAttention(8, 2, batch_first=True),
        c=nn.Conv1d(8, 8, 3, groups=2), n=nn.LayerNorm(8), b=nn.Linear(8, 3),
    )  # fmt: skip
    own = seeded(2)
    with torch.no_grad():
        for p in net.to(dtype).parameters():
            p.copy_(torch.randn(p.shape, generator=own, dtype=torch.float64) * 0.5)
    return net


def by_hand(run, **given):
    return Net(run, w=nn.Parameter(torch.ones(4, 5).double()), b=nn.Linear(5, 3).double(), **given)


UNTRACKED = {
    "a product from the left": lambda s, x: s.b((s.w.T @ x.T).T),
    "einsum": lambda s, x: s.b(torch.einsum("bi,ij->bj", x, s.w)),
    "its data through a list": lambda s, x: s.b(torch.stack([row @ s.w for row in x])),
    "stacked with the batch": lambda s, x: s.b(torch.cat([x, s.w.T]) [: len(x)] @ torch.ones(4, 5).double()),
    "recomputed": lambda s, x: s.b(checkpoint(lambda x: torch.tanh(x @ s.w), x, use_reentrant=False)),
}  # fmt: skip


@pytest.mark.parametrize("name", UNTRACKED)
def test_a_use_that_is_not_understood_is_an_error(name):
    """`W.T @ x` by hand must raise, not train."""
    net = by_hand(UNTRACKED[name])
    with pytest.raises((Untracked, RuntimeError)):
        engine_sum(net, drawn())
    assert all(p.grad is None for p in net.parameters())


@pytest.mark.parametrize("name", UNTRACKED)
def test_then_each_example_is_run_alone_and_that_is_told(name):
    net, batch, engine = by_hand(UNTRACKED[name]), drawn(), Engine()
    if name == "stacked with the batch":
        batch = drawn(3)
    heard = Heard()
    with progress.heard_by(heard):
        found = engine.total(net, batch, cross_entropy, Flat(), 0.5)
    assert distance(found, clipped(each(net, batch), 0.5)) < 1e-8
    assert engine.is_alone
    assert "MiB" in heard.labels[0]
    assert [str(n) for n in engine.notes] == heard.labels


class Heard:
    def __init__(self):
        self.labels: list[str] = []

    def start(self, label, total):
        self.labels.append(label)
        return 0

    def advance(self, handle): ...
    def scalar(self, label, value, index): ...
    def stop(self, handle): ...


def test_a_gradient_that_was_taken_before_the_forward_pass_is_an_error():
    """A weight that was turned outside of the network leads to `.grad` past everything that is seen."""
    net = by_hand(lambda s, x: s.b(x @ s.turned))
    net.turned = net.w * 2
    with pytest.raises((Untracked, RuntimeError)):
        engine_sum(net, drawn())


def test_a_tensor_changed_after_a_layer_has_read_it_is_an_error():
    def run(s, x):
        h = torch.tanh(x @ torch.ones(4, 4).double())
        y = s.b(h @ s.w)
        h.mul_(2)
        return y

    with pytest.raises(Untracked, match="in place"):
        engine_sum(by_hand(run), drawn())


MIXING = {
    "batch mean": (lambda s, x: s.b((x - x.mean(0)) @ s.w), cross_entropy),
    "attention over the batch": (lambda s, x: s.b((x @ x.T).softmax(1) @ x @ s.w), cross_entropy),
    "capacity": (lambda s, x: s.b(x @ s.w * (torch.arange(len(x)) < 2)[:, None]), cross_entropy),
    "in-batch negatives": (
        lambda s, x: s.b(x @ s.w),
        lambda f, b: cross_entropy(f, b) - (f(b.x) @ f(b.x).T).log_softmax(1).diagonal(),
    ),
    "weights from the batch": (
        lambda s, x: s.b(x @ s.w),
        lambda f, b: cross_entropy(f, b) * b.x.abs().mean(),
    ),
    "mean loss": (lambda s, x: s.b(x @ s.w), lambda f, b: cross_entropy(f, b).mean()),
}


@pytest.mark.parametrize("name", MIXING)
def test_what_works_across_a_batch_is_found(name):
    run, loss = MIXING[name]
    with pytest.raises(Untracked):
        engine_sum(by_hand(run), drawn(), loss=loss)


@pytest.mark.parametrize("name", MIXING)
def test_and_is_cut_off_by_running_each_example_alone(name):
    run, loss = MIXING[name]
    net, batch = by_hand(run), drawn()
    a = Engine().total(net, batch, loss, Flat(), 0.5)
    b = Engine().total(net, batch.take(slice(0, 5)), loss, Flat(), 0.5)
    assert distance(a, b) <= 0.5
    assert distance(a, clipped(each(net, batch, loss), 0.5)) < 1e-8


@pytest.mark.parametrize("layer", [nn.BatchNorm1d(5), nn.BatchNorm1d(5, track_running_stats=False)])
def test_batch_norm_is_refused_in_every_method(layer):
    net = nn.Sequential(nn.Linear(4, 5), layer, nn.Linear(5, 3)).double()
    for method in ("auto", "together", "alone"):
        with pytest.raises(BadInput, match="GroupNorm"):
            engine_sum(net, drawn(), method=method)


@pytest.mark.parametrize("clipping", [Flat(), PerLayer(), Automatic()], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_example_moves_the_sum_by_at_most_the_clip_norm(clipping, dtype):
    """The sensitivity of neighbouring batches, whatever the example holds."""
    for net, x in ((mlp(dtype), as_tensor(drawn(dtype=dtype).x)), (sequence(dtype), words(dtype))):
        engine, batch = Engine(method="together", n_batches=100), Batch(x, drawn().y)
        engine.total(net, batch, cross_entropy, clipping, 0.7)
        without = batch.take(torch.tensor([0, 1, 3, 4, 5]))
        b = engine.total(net, without, cross_entropy, clipping, 0.7)
        for bad in (1e3, 1e12, 1e20, 1e38, inf, -inf, float("nan")):
            x[2] = bad
            a = engine.total(net, batch, cross_entropy, clipping, 0.7)
            assert not engine.is_alone
            assert all(v.isfinite().all() for v in a.values())
            assert distance(a, b) <= 0.7 * (1 + 1e-5)


def words(dtype):
    return torch.randn(6, 5, 4, generator=seeded(3), dtype=dtype)


def test_terms_that_cancel_do_not_hide_a_gradient():
    """Rounding could make a norm of huge terms come out as nothing, and nothing would be clipped."""
    net = Net(lambda s, x: s.b(x).sum(1), b=nn.Linear(4, 3, bias=False)).float()
    x = torch.randn(6, 30, 4, generator=seeded(0))
    x[2, :15] *= 1e6
    x[2, 15:] = -x[2, :15] * (1 + 1e-7)
    batch = Batch(x, drawn().y)
    engine = Engine(method="together", n_batches=100)
    engine.total(
        net, Batch(torch.randn(6, 30, 4, generator=seeded(1)), batch.y), cross_entropy, Flat(), 1e-2
    )
    a = engine.total(net, batch, cross_entropy, Flat(), 1e-2)
    b = engine.total(net, batch.take(torch.tensor([0, 1, 3, 4, 5])), cross_entropy, Flat(), 1e-2)
    assert distance(a, b) <= 1e-2 * (1 + 1e-4)


def test_examples_without_a_finite_gradient_are_left_out_and_counted():
    net, batch = mlp(), drawn(8)
    x = as_tensor(batch.x)
    x[1], x[5] = inf, float("nan")
    engine = Engine(method="together", n_batches=100)
    engine.total(net, drawn(8, seed=5), cross_entropy, Flat(), 0.5)
    found = engine.total(net, batch, cross_entropy, Flat(), 0.5)
    rest = batch.take(torch.tensor([0, 2, 3, 4, 6, 7]))
    assert distance(found, clipped(each(net, rest), 0.5)) < 1e-9
    assert engine.n_dropped == 2
    x[:] = inf
    assert not any(v.any() for v in engine.total(net, batch, cross_entropy, Flat(), 0.5).values())
    assert engine.n_dropped == 10


@pytest.mark.parametrize("method", ["together", "alone"])
@pytest.mark.parametrize("most", [1, 2, 4, 100])
def test_any_split_into_pieces_gives_the_same_sum(method, most):
    net, batch = mlp(), drawn(9)
    whole = clipped(each(net, batch), 0.5)
    assert distance(engine_sum(net, batch, method=method, most=most), whole) < 1e-8


@pytest.mark.parametrize("n", [0, 1, 2])
def test_batches_too_small_to_check_are_run_alone(n):
    net, batch, engine = mlp(), drawn(n), Engine()
    found = engine.total(net, batch, cross_entropy, Flat(), 0.5)
    assert engine.layout is None
    assert not engine.is_alone
    truth = clipped(each(net, batch), 0.5) if n else {k: torch.zeros_like(v) for k, v in trainable(net).items()}  # fmt: skip
    assert distance(found, truth) < 1e-9


def test_a_network_that_vmap_does_not_know_is_looped():
    net = by_hand(
        lambda s, x: s.b(torch.einsum("bi,ij->bj", x, s.w) if float(x.sum()) < 1e9 else x)
    )
    assert (
        distance(engine_sum(net, drawn(), method="alone"), clipped(each(net, drawn()), 0.5)) < 1e-9
    )


def test_dropout_is_as_random_for_each_example_alone():
    net = nn.Sequential(nn.Linear(4, 500), nn.Dropout(0.5), nn.Linear(500, 3)).double()
    batch = Batch(torch.ones(4, 4).double(), torch.zeros(4).long())
    found = alone.uses_of(net, trainable(net), batch, cross_entropy)["2.weight"].gradients
    assert not torch.equal(found[0], found[1])


@pytest.mark.parametrize("mixes", [True, False])
def test_mixing_that_hides_behind_dropout_is_found(mixes):
    """Only while it trains, and where randomness keeps the batch and each example alone from agreeing."""

    def run(s, x):
        x = s.d(x @ s.w)
        x = x - 0.5 * x.mean(0) if mixes and s.training else x
        return s.b(x)

    net = by_hand(run, d=nn.Dropout(0.5)).train()
    if mixes:
        with pytest.raises(Untracked):
            engine_sum(net, drawn())
    else:
        engine_sum(net, drawn())


def test_pieces_hold_the_gradients_that_fit(monkeypatch):
    monkeypatch.setattr(alone, "MOST_NUMBERS", 100)
    assert [p.size for p in alone.pieces(drawn(7), trainable(mlp()))] == [1] * 7


def test_per_layer_clipping_bounds_each_layer():
    net, batch = mlp(), drawn(1)
    found = Engine().total(net, batch, cross_entropy, PerLayer(), 1e-3)
    for layer in ("0", "2", "3"):
        part = torch.cat([found[f"{layer}.{n}"].flatten() for n in ("weight", "bias")])
        assert float(part.norm()) == pytest.approx(1e-3 / 3**0.5, rel=1e-5)
    whole = torch.cat([v.flatten() for v in found.values()])
    assert float(whole.norm()) == pytest.approx(1e-3, rel=1e-5)


def test_automatic_clipping_brings_all_norms_close_to_the_bound():
    net, batch = mlp(), drawn(5)
    truth = each(net, batch)
    factor = 2.0 * BELOW_ONE / (norms(truth) + 0.1)
    right = {n: torch.tensordot(factor, g, dims=1) for n, g in truth.items()}
    found = Engine().total(net, batch, cross_entropy, Automatic(stability=0.1), 2.0)
    assert distance(found, right) < 1e-9


def test_checks_come_again_and_ever_more_rarely(monkeypatch):
    from fivefold.training.private import engine as module

    seen: list[int] = []
    real = module.verified
    monkeypatch.setattr(module, "verified", lambda *a: (seen.append(engine.n_batches), real(*a))[1])
    engine = Engine()
    for i in range(70):
        engine.total(mlp(), drawn(4, seed=i), cross_entropy, Flat(), 0.5)
    assert seen == [1, 2, 4, 16, 64]


def test_mixing_that_begins_later_is_found_at_the_next_check():
    net, engine = (
        by_hand(lambda s, x: s.b(x @ s.w - s.strength * x.mean())),
        Engine(method="together"),
    )
    net.strength = torch.zeros(())
    engine.total(net, drawn(), cross_entropy, Flat(), 0.5)
    net.strength = torch.ones(())
    with pytest.raises(Untracked):
        engine.total(net, drawn(), cross_entropy, Flat(), 0.5)
