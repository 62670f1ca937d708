from copy import deepcopy

import pytest
import torch
from torch import nn

from fivefold.core.data import Batch, as_tensor, poisson, shuffled
from fivefold.core.errors import BadInput
from fivefold.core.loss import cross_entropy, squared_error
from fivefold.models.initialize import built
from fivefold.training import SGD, AdamW, Constant, Cosine, EarlyStop, Ema, Muon, fit
from seeding import seeded

OPTIMIZERS = [AdamW(), SGD(lr=0.01), SGD(lr=0.01, momentum=0.0, nesterov=False), Muon()]


def small(seed=0):
    return built(lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), seeded(seed))


def lines(n=64, seed=0):
    x = torch.randn(n, 4, generator=seeded(seed))
    return Batch(x, (x[:, 0] > 0).long())


def part(net, index):
    layer = net.get_submodule(str(index))
    assert isinstance(layer, nn.Linear)
    return layer


def mean_loss(net, data):
    return float(cross_entropy(net, data).detach().mean())


def state(net):
    return torch.cat([w.flatten() for w in net.state_dict().values()])


@pytest.mark.parametrize("schedule", [Constant(), Cosine(warmup=0.2)])
def test_agrees_with_a_loop_written_out(schedule):
    ours, theirs, data = small(), small(), lines()
    batches = shuffled(data, 16, 3, seeded(1))
    fit(ours, batches, cross_entropy, optimizer=SGD(lr=0.1, momentum=0.5, schedule=schedule))
    velocity = [torch.zeros_like(p) for p in theirs.parameters()]
    for i, batch in enumerate(batches):
        theirs.zero_grad()
        nn.functional.cross_entropy(theirs(batch.x), batch.y).backward()
        for p, v in zip(theirs.parameters(), velocity, strict=True):
            assert p.grad is not None
            v.mul_(0.5).add_(p.grad)
            p.data -= 0.1 * schedule.factor(i, len(batches)) * (p.grad + 0.5 * v)
    assert torch.allclose(state(ours), state(theirs), atol=1e-6)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_learns_and_leaves_the_network_ready(optimizer):
    net, data = small(), lines()
    before = mean_loss(net, data)
    fit(net, shuffled(data, 16, 10, seeded(1)), cross_entropy, optimizer=optimizer)
    assert mean_loss(net, data) < before
    assert not net.training
    assert all(p.grad is None for p in net.parameters())


def test_muon_moves_matrices_by_orthogonal_steps_and_vectors_by_adamw():
    net, twin, data = small(), small(), lines()
    one = shuffled(data, 64, 1, seeded(1))
    fit(net, one, cross_entropy, optimizer=Muon(weight_decay=0.0))
    fit(twin, one, cross_entropy, optimizer=AdamW(weight_decay=0.0))
    assert torch.equal(part(net, 0).bias, part(twin, 0).bias)
    moved = part(net, 0).weight.detach() - part(small(), 0).weight.detach()
    sizes = torch.linalg.svdvals(moved)
    assert float(sizes.max() / sizes.min()) < 2  # five Newton-Schulz steps: nearly orthogonal


def test_frozen_weights_stay_where_they_are():
    net, data = small(), lines()
    part(net, 0).requires_grad_(False)
    before = part(net, 0).weight.clone()
    fit(net, shuffled(data, 16, 2, seeded(1)), cross_entropy, average=Ema(decay=0.5))
    assert torch.equal(part(net, 0).weight, before)


def test_average_is_the_moving_average_of_the_weights():
    net, data, decay = small(), lines(), 0.9
    batches = shuffled(data, 16, 3, seeded(1))
    seen: list[torch.Tensor] = []

    def watched(forward, batch):
        seen.append(state(twin).clone())
        return cross_entropy(forward, batch)

    twin = small()
    fit(twin, batches, watched)
    expected = seen[0]
    for i, weights in enumerate([*seen[1:], state(twin)]):
        own = min(decay, (1 + i) / (10 + i))
        expected = own * expected + (1 - own) * weights
    fit(net, batches, cross_entropy, average=Ema(decay=decay))
    assert torch.allclose(state(net), expected, atol=1e-6)


def test_average_keeps_counters_and_running_statistics():
    net = built(
        lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2)),
        seeded(),
    )
    data = Batch(torch.rand(32, 1, 4, 4, generator=seeded()), torch.arange(32) % 2)
    fit(net, shuffled(data, 8, 2, seeded(1)), cross_entropy, average=Ema(decay=0.5))
    assert int(net.get_buffer("1.num_batches_tracked")) == 8


def test_early_stop_returns_the_best_weights_it_measured():
    """Ten noisy rows are learnt by heart: held-out loss falls, then rises."""
    own = seeded(3)
    x = torch.randn(60, 4, generator=own)
    y = (x[:, 0] + torch.randn(60, generator=own) > 0).long()
    train, valid = Batch(x[:10], y[:10]), Batch(x[10:], y[10:])
    losses: list[float] = []

    def judged(forward, batch):
        value = cross_entropy(forward, batch)
        losses.append(float(value.detach().mean()))
        return value

    net, batches = small(), shuffled(train, 10, 200, seeded(1))
    stop = EarlyStop(valid=valid, every=5, patience=3, loss=judged)
    fit(net, batches, cross_entropy, optimizer=AdamW(lr=0.05), stop=stop)
    assert len(losses) < 40
    assert losses.index(min(losses)) == len(losses) - 4
    assert mean_loss(net, valid) == pytest.approx(min(losses))


def test_early_stop_measures_the_average_when_there_is_one():
    data = lines()
    seen: list[float] = []

    def judged(forward, batch):
        value = cross_entropy(forward, batch)
        seen.append(float(value.detach().mean()))
        return value

    net = small()
    stop = EarlyStop(valid=data, every=100, loss=judged)
    fit(net, shuffled(data, 16, 3, seeded(1)), cross_entropy, average=Ema(decay=0.9), stop=stop)
    assert seen == pytest.approx([mean_loss(net, data)])


def test_an_empty_poisson_batch_moves_nothing():
    net, data = small(), lines(4)
    before = state(net).clone()
    fit(net, poisson(data, 1e-9, 5, seeded()), cross_entropy)
    assert torch.equal(state(net), before)


def test_says_at_which_batch_training_blew_up():
    net, data = small(), lines()
    x = as_tensor(data.x)
    numbers = Batch(x * 1e20, x[:, 0])
    with pytest.raises(BadInput, match="finite") as found:
        fit(net, shuffled(numbers, 16, 3, seeded()), squared_error, optimizer=SGD(lr=10.0))
    assert found.value.where == "1 / 12"
    assert "lr" in str(found.value.mend)


def test_says_when_the_last_step_blew_up():
    net, data = small(), lines()

    def step(net, batch, loss):
        for p in net.parameters():
            p.grad = torch.full_like(p, torch.inf)
        return torch.tensor(torch.nan)  # a private gradient shows no loss

    with pytest.raises(BadInput, match="finite"):
        fit(net, shuffled(data, 64, 1, seeded()), cross_entropy, gradient=step, optimizer=SGD())


def test_needs_something_to_train_and_something_to_stop_on():
    net, data = small(), lines()
    with pytest.raises(BadInput, match="nothing to train"):
        fit(deepcopy(net).requires_grad_(False), shuffled(data, 8, 1, seeded()), cross_entropy)
    with pytest.raises(BadInput, match="validation"):
        EarlyStop(valid=data.take(slice(0, 0)), every=1)
    with pytest.raises(ValueError, match="momentum"):
        SGD(momentum=0.0)
