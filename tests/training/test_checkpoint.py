"""Whatever moment training is interrupted at, it ends with the same bits."""

import json
import time
from functools import partial

import pytest
import torch
from torch import nn

from fivefold.core import progress
from fivefold.core.data import Batch, as_tensor, shuffled
from fivefold.core.loss import cross_entropy
from fivefold.core.randomness import spawn
from fivefold.models.initialize import built
from fivefold.training import SGD, AdamW, Cosine, EarlyStop, Ema, Muon, fit
from fivefold.training.checkpoint import keeping, register
from seeding import seeded


class Interrupted(Exception):
    """Somebody pulled the plug."""


class Plug:
    """A listener that pulls the plug after some batches."""

    def __init__(self, after):
        self.left = after

    def start(self, label, total):
        return 0

    def advance(self, handle):
        self.left -= 1
        if self.left < 0:
            raise Interrupted

    def scalar(self, label, value, index):
        pass

    def stop(self, handle):
        pass


def network():
    def make():
        norm = [nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten()]
        return nn.Sequential(*norm, nn.Linear(12, 6), nn.ReLU(), nn.Linear(6, 2))

    return built(make, seeded())


def data():
    x = torch.rand(40, 1, 4, 4, generator=seeded(1))
    return Batch(x, (x.mean((1, 2, 3)) > 0.5).long())


def step(rng, optimizer, average=None, patience=None):
    """Two calls of `fit`, a loss that draws noise from the step's rng, another from its own."""
    batch, own = data(), register(spawn(rng))

    def noisy(rng, forward, batch):
        x = as_tensor(batch.x)
        return cross_entropy(forward, Batch(x + 0.1 * torch.randn(x.shape, generator=rng), batch.y))

    stop = None
    if patience:
        stop = EarlyStop(valid=batch, every=3, patience=patience)
    net = network()
    fit(net, shuffled(batch, 8, 2, rng), partial(noisy, rng), optimizer=optimizer, average=average)
    draws = shuffled(batch, 8, 4, rng)
    fit(net, draws, partial(noisy, own), optimizer=optimizer, average=average, stop=stop)
    return bits(net), torch.rand((), generator=rng), torch.rand((), generator=own)


def bits(net):
    return torch.cat([w.flatten().double() for w in net.state_dict().values()])


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def interrupted_at(moments, folder, run, every_seconds=0.0, key="k"):
    """Run `run` again and again, stopped at each of `moments`, and at last to the end."""
    for moment in moments:
        rng = seeded(5)
        kept = keeping(folder, rng, key=key, every_seconds=every_seconds)
        with pytest.raises(Interrupted), progress.heard_by(Plug(moment)), kept:
            run(rng)
    rng = seeded(5)
    with keeping(folder, rng, key=key, every_seconds=every_seconds):
        return run(rng)


KINDS = {
    "adamw": {"optimizer": AdamW(lr=0.01, schedule=Cosine(warmup=0.1))},
    "sgd": {"optimizer": SGD(lr=0.01)},
    "muon": {"optimizer": Muon(lr=0.01)},
    "average": {"optimizer": AdamW(lr=0.01), "average": Ema(decay=0.9)},
    "early stop": {"optimizer": AdamW(lr=0.05), "patience": 2},
    "all": {"optimizer": Muon(lr=0.05), "average": Ema(decay=0.8), "patience": 3},
}


@pytest.mark.parametrize("kind", KINDS)
def test_resumes_with_the_same_bits(kind, tmp_path):
    run = partial(step, **KINDS[kind])
    whole = run(seeded(5))
    own = seeded(len(kind))
    for i in range(4):
        moments = torch.randint(0, 7, (2,), generator=own).tolist()
        assert same(interrupted_at(moments, tmp_path / str(i), run), whole)


def test_really_goes_on_and_cleans_up(tmp_path):
    run, counted = partial(step, **KINDS["adamw"]), Plug(10**6)
    rng = seeded(5)
    with (
        pytest.raises(Interrupted),
        progress.heard_by(Plug(14)),
        keeping(tmp_path / "k", rng, key="k", every_seconds=0),
    ):
        run(rng)
    rng = seeded(5)
    with progress.heard_by(counted), keeping(tmp_path / "k", rng, key="k"):
        run(rng)
    assert 10**6 - counted.left == 30 - 15
    assert not (tmp_path / "k").exists()


def test_an_error_in_the_loss_is_an_interruption_too(tmp_path):
    calls = []

    def run(rng, fails_at=None):
        def loss(forward, batch):
            calls.append(1)
            if len(calls) == fails_at:
                raise Interrupted
            return cross_entropy(forward, batch)

        net = network()
        fit(net, shuffled(data(), 8, 2, rng), loss)
        return bits(net)

    whole = run(seeded(5))
    calls.clear()
    rng = seeded(5)
    with pytest.raises(Interrupted), keeping(tmp_path / "k", rng, key="k", every_seconds=0):
        run(rng, fails_at=6)
    calls.clear()
    rng = seeded(5)
    with keeping(tmp_path / "k", rng, key="k"):
        assert torch.equal(run(rng), whole)
    assert len(calls) == 5


def start_one(folder, key="k"):
    rng = seeded(5)
    with (
        pytest.raises(Interrupted),
        progress.heard_by(Plug(12)),
        keeping(folder, rng, key=key, every_seconds=0),
    ):
        step(rng, **KINDS["all"])


def finish(folder, key="k"):
    rng, counted = seeded(5), Plug(10**6)
    with progress.heard_by(counted), keeping(folder, rng, key=key):
        return step(rng, **KINDS["all"]), 10**6 - counted.left


def test_another_key_is_not_picked_up(tmp_path):
    whole, n_whole = finish(tmp_path / "fresh")
    start_one(tmp_path / "k", key="other data")
    found, n_batches = finish(tmp_path / "k")
    assert same(found, whole)
    assert n_batches == n_whole


@pytest.mark.parametrize("what", ["flip", "cut", "gone", "lie"])
@pytest.mark.parametrize("suffix", ["json", "safetensors"])
def test_a_damaged_checkpoint_is_ignored_and_computed_again(what, suffix, tmp_path):
    whole, _ = finish(tmp_path / "fresh")
    start_one(tmp_path / "k")
    own = seeded(9)
    for path in (tmp_path / "k").glob(f"*.{suffix}"):
        told = bytearray(path.read_bytes())
        if what == "flip":
            told[int(torch.randint(len(told), (), generator=own))] ^= 1
        elif what == "cut":
            told = told[: len(told) // 2]
        elif what == "lie":
            told = bytearray(json.dumps({"content": {"key": "k"}, "sha256": "0"}).encode())
        path.write_bytes(told)
        if what == "gone":
            path.unlink()
    found, _ = finish(tmp_path / "k")
    assert same(found, whole)


def test_fit_writes_nothing_unless_it_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    step(seeded(5), **KINDS["sgd"])
    assert not list(tmp_path.iterdir())


def test_writes_only_when_it_is_due(tmp_path):
    rng = seeded(5)
    with keeping(tmp_path / "k", rng, key="k", every_seconds=1e6):
        step(rng, **KINDS["sgd"])
        assert not (tmp_path / "k").exists()


def test_ends_of_many_short_calls_are_written_together(tmp_path, monkeypatch):
    """What is lost is never more than the time between two writes, however short the calls."""
    now = [time.monotonic()]
    monkeypatch.setattr("fivefold.training.checkpoint.time.monotonic", lambda: now[0])
    rng, written = seeded(5), []
    with keeping(tmp_path / "k", rng, key="k", every_seconds=60):
        for _ in range(4):
            now[0] += 25
            fit(network(), shuffled(data(), 40, 1, rng), cross_entropy)
            written.append(len(list((tmp_path / "k").glob("*.json"))))
    assert written == [1, 2, 2, 4]


def test_the_first_write_is_soon_and_later_ones_are_further_apart(tmp_path, monkeypatch):
    now, written = [128.0], list[float]()
    monkeypatch.setattr("fivefold.training.checkpoint.time.monotonic", lambda: now[0])
    monkeypatch.setattr("fivefold.training.snapshot.write", lambda _: written.append(now[0] - 128))

    def slow(forward, batch):
        now[0] += 1
        return cross_entropy(forward, batch)

    with keeping(tmp_path, seeded(5), key="k", every_seconds=20):
        fit(network(), shuffled(data(), 40, 90, seeded()), slow)
    assert written == [2, 4, 8, 16, 32, 52, 72]


class Moment(KeyboardInterrupt):
    """Ctrl-C, at a moment of the test's choice."""


def pressed(where, n, run, folder):
    """Press Ctrl-C at the n-th call of a function; return how many batches are left after it, and the bits."""
    real, calls = getattr(*where), []

    def counted(*given, **named):
        found = real(*given, **named)  # what it changes has been changed
        calls.append(1)
        if len(calls) == n:
            raise Moment
        return found

    rng = seeded(5)
    with pytest.MonkeyPatch.context() as patch:
        owner, name = where
        patch.setattr(owner, name, counted)
        with pytest.raises(Moment), keeping(folder, rng, key="k", every_seconds=1e6):
            run(rng)
    rng, listener = seeded(5), Plug(10**6)
    with progress.heard_by(listener), keeping(folder, rng, key="k", every_seconds=1e6):
        return run(rng), 10**6 - listener.left


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 9, 13])
def test_an_interruption_before_the_weights_move_loses_only_its_own_batch(kind, n, tmp_path):
    """The forward pass has drawn noise and moved running statistics by then: both are undone."""
    run = partial(step, **KINDS[kind])
    whole, n_batches = finish_of(run, tmp_path / "fresh")
    found, left = pressed((torch.Tensor, "backward"), n, run, tmp_path / "k")
    assert same(found, whole)
    assert left == n_batches - (n - 1)


@pytest.mark.parametrize("n", [1, 9, 13])
def test_an_interruption_while_weights_move_keeps_ended_calls_alone(n, tmp_path):
    run = partial(step, **KINDS["adamw"])
    whole, n_batches = finish_of(run, tmp_path / "fresh")
    found, left = pressed((torch.optim.AdamW, "step"), n, run, tmp_path / "k")
    assert same(found, whole)
    assert left == n_batches - (10 if n > 10 else 0)


def finish_of(run, folder):
    """Return what `run` returns undisturbed, and how many batches it reads."""
    rng, listener = seeded(5), Plug(10**6)
    with progress.heard_by(listener), keeping(folder, rng, key="k"):
        return run(rng), 10**6 - listener.left
