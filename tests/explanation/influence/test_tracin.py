import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from influencing import CLASSES, NUMBER, examples, network, schema, scores

from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.core.loss import loss_of
from fivefold.core.task import Task
from fivefold.explanation.influence import TracIn
from fivefold.models import CallableModel
from seeding import seeded

TWO = Task(classes=("a", "b"))


def stepped(model, example, rate):
    """Return the model after one step of plain gradient descent on the loss of one example."""
    made = network(model.task, hidden=model.architecture.hidden)
    made.net.load_state_dict(model.net.state_dict())
    loss = loss_of(model.task)(made.net, example).sum()
    slopes = torch.autograd.grad(loss, list(made.net.parameters()))
    with torch.no_grad():
        for weight, slope in zip(made.net.parameters(), slopes, strict=True):
            weight -= rate * slope
    return made


@pytest.mark.parametrize("task", [NUMBER, TWO])
@pytest.mark.parametrize("layers", ["all", "last"])
def test_is_what_one_step_adds_where_scores_are_linear(task, layers, rng):
    model, rate = network(task), 0.1
    train, rows = examples(task, n=8), examples(task, n=4, seed=1)
    found = TracIn(rates=(rate,), layers=layers)(model, train, rows, rng=rng).values
    before = scores(model, rows)
    for i in range(train.size):
        after = scores(stepped(model, train.take(torch.tensor([i])), rate), rows)
        assert torch.allclose(found[:, i], after - before, rtol=1e-4, atol=2e-5)


def test_is_what_a_small_step_adds_to_a_deep_network(rng):
    model, rate = network(CLASSES, hidden=(8, 8)), 1e-3
    train, rows = examples(CLASSES, n=6), examples(CLASSES, n=4, seed=1)
    found = TracIn(rates=(rate,))(model, train, rows, rng=rng).values
    before = scores(model, rows)
    for i in range(train.size):
        after = scores(stepped(model, train.take(torch.tensor([i])), rate), rows)
        assert torch.allclose(found[:, i], after - before, rtol=0.05, atol=2e-5)


def slope(model, example, of_loss):
    """Return one gradient, as autograd has it."""
    net = model.net
    if of_loss:
        value = loss_of(model.task)(net, example).sum()
    else:
        told = net(example.x).double()[0]
        value = told[0]
        if model.task.is_classification:
            y = int(example.y)
            value = told[y] - torch.cat([told[:y], told[y + 1 :]]).logsumexp(0)
    found = torch.autograd.grad(value, list(net.parameters()))
    return torch.cat([f.flatten() for f in found]).double()


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.integers(0, 100), st.sampled_from([NUMBER, TWO, CLASSES]))
def test_equals_a_loop_over_pairs_and_checkpoints(seed, task):
    models = [network(task, hidden=(5,), seed=s) for s in (seed, seed + 7)]
    train, rows = examples(task, n=5, seed=seed), examples(task, n=3, seed=seed + 1)
    found = TracIn(rates=(0.5, 0.2))(models, train, rows, rng=seeded()).values
    for j in range(rows.size):
        for i in range(train.size):
            own = 0.0
            for model, rate in zip(models, (0.5, 0.2), strict=True):
                row, one = (d.take(torch.tensor([k])) for d, k in ((rows, j), (train, i)))
                own -= rate * float(slope(model, row, False) @ slope(model, one, True))
            assert found[j, i].item() == pytest.approx(own, rel=1e-4, abs=1e-5)


def test_frozen_weights_do_not_count(rng):
    model = network(CLASSES, hidden=(5,))
    model.trunk().requires_grad_(False)
    train, rows = examples(CLASSES, n=5), examples(CLASSES, n=3, seed=1)
    found = TracIn()(model, train, rows, rng=rng).values
    assert torch.allclose(
        found, TracIn(layers="last")(model, train, rows, rng=rng).values, atol=1e-5
    )


def test_images_with_convolutions(images, rng):
    from fivefold.models import ConvNet, fresh

    model = fresh(ConvNet(width=2, hidden=8), images, seeded())
    train, rows = images.splits.seen.train.take(slice(0, 9)), images.splits.test.take(slice(0, 2))
    found = TracIn()(model, train, rows, rng=rng).values
    loops = torch.cat([TracIn()(model, train.take(slice(i, i + 1)), rows, rng=rng).values for i in range(9)], 1)  # fmt: skip
    assert torch.allclose(found, loops, rtol=1e-4, atol=1e-5)


def test_changes_nothing(rng):
    model = network(CLASSES, hidden=(5,))
    before = [p.clone() for p in model.net.parameters()]
    state = torch.random.get_rng_state()
    TracIn()(model, examples(CLASSES), examples(CLASSES, n=2), rng=rng)
    assert all(torch.equal(a, b) for a, b in zip(before, model.net.parameters(), strict=True))
    assert all(p.grad is None for p in model.net.parameters())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_bad_input(rng):
    model, train = network(CLASSES), examples(CLASSES)
    with pytest.raises(BadInput, match="learning rates"):
        TracIn(rates=(0.1, 0.2))(model, train, train, rng=rng)
    black = CallableModel(
        function=lambda x: x[:, 0], task=NUMBER, schema=schema(), answers="numbers"
    )
    with pytest.raises(NotMeasurable, match="gradients"):
        TracIn()(black, examples(NUMBER), examples(NUMBER), rng=rng)
