import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from influencing import CLASSES, NUMBER, examples, network, scores

from fivefold.explanation.influence import TRAK, LastLayerInfluence
from fivefold.explanation.influence.projection import Sketch
from fivefold.explanation.influence.trak import kernel
from seeding import seeded


def slopes(model, rows):
    """Return the gradients of the scores, one example at a time."""
    found = []
    for i in range(rows.size):
        told = model.net(rows.x[i : i + 1]).double()[0]
        value = told[0]
        if model.task.is_classification:
            y = int(rows.y[i])
            value = told[y] - torch.cat([told[:y], told[y + 1 :]]).logsumexp(0)
        parts = torch.autograd.grad(value, list(model.net.parameters()))
        found.append(torch.cat([p.flatten() for p in parts]).double())
    return torch.stack(found)


def plain(model, train, rows, damping):
    """Return the formula of the paper without projection, written plainly."""
    g, q = slopes(model, train), slopes(model, rows)
    gram = g.T @ g
    level = damping * gram.trace() / min(g.shape)
    own = scores(model, train)
    residual = 1 - torch.sigmoid(own) if model.task.is_classification else train.y - own
    return q @ torch.linalg.inv(gram + level * torch.eye(len(gram)).double()) @ g.T * residual


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.integers(0, 100), st.sampled_from([NUMBER, CLASSES]), st.sampled_from([6, 60]))
def test_equals_the_formula_where_nothing_is_projected(seed, task, n):
    model = network(task, hidden=(4,), seed=seed)
    train, rows = examples(task, n=n, seed=seed), examples(task, n=3, seed=seed + 1)
    wanted = plain(model, train, rows, 0.1)
    size = sum(p.numel() for p in model.net.parameters())
    for dimension in (None, size, 10 * size):
        found = TRAK(dimension=dimension, damping=0.1)(model, train, rows, rng=seeded()).values
        assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-5)


def test_of_a_linear_model_is_the_influence_function(rng):
    model = network(NUMBER)
    train, rows = examples(NUMBER), examples(NUMBER, n=4, seed=1)
    found = TRAK(damping=1e-9)(model, train, rows, rng=rng).values
    wanted = LastLayerInfluence(damping=0.0, leaves_out=False)(model, train, rows, rng=rng).values
    assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_projecting_comes_closer_with_more_numbers(rng):
    model = network(CLASSES, hidden=(64,))
    train, rows = examples(CLASSES, n=30), examples(CLASSES, n=5, seed=1)
    whole = TRAK()(model, train, rows, rng=rng).values
    away = [
        (TRAK(dimension=d)(model, train, rows, rng=seeded(3)).values - whole).norm()
        for d in (8, 128)
    ]
    assert away[1] < 0.5 * away[0]


def test_solving_among_examples_is_solving_among_numbers():
    own = seeded()
    for n_train, n in ((6, 9), (9, 6)):
        t, r = torch.randn(n_train, n, generator=own), torch.randn(3, n, generator=own)
        found, t, r = kernel(r, t, 0.2), t.double(), r.double()
        level = 0.2 * t.square().sum() / 6 * torch.eye(n).double()
        assert torch.allclose(found, r @ torch.linalg.inv(t.T @ t + level) @ t.T, atol=1e-5)


def test_projection_keeps_inner_products_on_average():
    own = seeded()
    a, b = torch.randn(2, 50, generator=own)
    found = torch.stack([
        (lambda s: s(a[None]) @ s(b[None]).T)(Sketch(50, 16, own))[0, 0] for _ in range(3000)
    ])  # fmt: skip
    error = found.std() / 3000**0.5
    assert abs(float(found.mean() - a @ b)) < 4 * float(error)
    assert float(found.var()) < 2 / 16 * float(a @ a * (b @ b)) * 1.2


def test_projection_of_a_batch_is_that_of_each_row():
    sketch, rows = Sketch(20, 8, seeded()), torch.randn(4, 20, generator=seeded(1))
    assert torch.allclose(sketch(rows), torch.cat([sketch(r[None]) for r in rows]))


def test_several_models_have_an_error_and_one_says_that_it_is_alone(rng):
    train, rows = examples(CLASSES), examples(CLASSES, n=2)
    models = [network(CLASSES, hidden=(4,), seed=i) for i in range(3)]
    assert TRAK()(models, train, rows, rng=rng).error is not None
    alone = TRAK()(models[0], train, rows, rng=rng)
    assert alone.error is None
    assert alone.limits


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="dimension"):
        TRAK(dimension=1)
