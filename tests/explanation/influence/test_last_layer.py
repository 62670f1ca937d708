import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from influencing import CLASSES, NUMBER, examples, network, schema, scores
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fivefold.core.data import Batch, as_tensor
from fivefold.core.errors import NotMeasurable
from fivefold.core.task import Task
from fivefold.explanation.influence import LastLayerInfluence
from fivefold.models import CallableModel, SklearnModel
from seeding import seeded


def fitted(estimator, data, task):
    y = data.y if not task.is_classification else [task.classes[i] for i in data.y]
    return SklearnModel(
        estimator=estimator.fit(data.x.double().numpy(), y), task=task, schema=schema()
    )


def without(make, train, rows, task):
    """Train again without each example, and return how far the scores fall."""
    full, found = scores(fitted(make(), train, task), rows), []
    for i in range(train.size):
        kept = torch.arange(train.size) != i
        found.append(full - scores(fitted(make(), train.take(kept), task), rows))
    return torch.stack(found, 1)


@pytest.mark.parametrize("alpha", [0.0, 0.1, 10.0])
@pytest.mark.parametrize("intercept", [True, False])
def test_is_leave_one_out_of_linear_and_ridge_regression(alpha, intercept, rng):
    def make():
        if not alpha:
            return LinearRegression(fit_intercept=intercept)
        return Ridge(alpha=alpha, fit_intercept=intercept)

    train, rows = examples(NUMBER), examples(NUMBER, n=5, seed=1)
    found = LastLayerInfluence()(fitted(make(), train, NUMBER), train, rows, rng=rng)
    wanted = without(make, train, rows, NUMBER)
    assert torch.allclose(found.values, wanted, rtol=1e-4, atol=1e-5)
    assert found.is_converged is not None
    assert found.is_converged.all()


def test_influence_functions_are_leave_one_out_times_one_less_leverage(rng):
    train, rows = examples(NUMBER), examples(NUMBER, n=5, seed=1)
    model = fitted(LinearRegression(), train, NUMBER)
    exact = LastLayerInfluence()(model, train, rows, rng=rng).values
    first = LastLayerInfluence(leaves_out=False)(model, train, rows, rng=rng).values
    padded = torch.cat([as_tensor(train.x).double(), torch.ones(train.size, 1).double()], 1)
    leverage = (padded @ torch.linalg.pinv(padded)).diagonal()
    assert torch.allclose(first, exact * (1 - leverage), atol=1e-6)


@pytest.mark.parametrize("classes", [("a", "b"), ("a", "b", "c")])
def test_is_close_to_training_a_logistic_regression_again(classes, rng):
    def make():
        return LogisticRegression(C=1.0, tol=1e-8, max_iter=2000)

    task = Task(classes=classes)
    train, rows = examples(task, n=30), examples(task, n=5, seed=1)
    found = LastLayerInfluence()(fitted(make(), train, task), train, rows, rng=rng).values
    wanted = without(make, train, rows, task)
    first = LastLayerInfluence(leaves_out=False)(
        fitted(make(), train, task), train, rows, rng=rng
    ).values
    assert (found - wanted).norm() < 0.1 * wanted.norm()
    assert (found - wanted).norm() < (first - wanted).norm()


def test_the_order_of_classes_does_not_matter(rng):
    train, rows = examples(CLASSES), examples(CLASSES, n=4, seed=1)
    turned = Task(classes=("c", "a", "b"))
    place = torch.tensor([1, 2, 0])
    estimator = LogisticRegression(max_iter=1000)
    model = fitted(estimator, train, CLASSES)
    other = SklearnModel(estimator=estimator, task=turned, schema=schema())
    a = LastLayerInfluence()(model, train, rows, rng=rng).values
    b = LastLayerInfluence()(
        other, Batch(train.x, place[train.y]), Batch(rows.x, place[rows.y]), rng=rng
    ).values
    assert torch.allclose(a, b, atol=1e-9)


def test_columns_that_were_scaled_first(rng):
    train, rows = examples(NUMBER), examples(NUMBER, n=3, seed=1)
    model = fitted(make_pipeline(StandardScaler(), Ridge(alpha=1.0)), train, NUMBER)
    scaled = model.estimator[0]
    inner = Batch(torch.tensor(scaled.transform(as_tensor(train.x).double())).float(), train.y)
    outer = Batch(torch.tensor(scaled.transform(as_tensor(rows.x).double())).float(), rows.y)
    plain = fitted(Ridge(alpha=1.0), inner, NUMBER)
    a = LastLayerInfluence()(model, train, rows, rng=rng).values
    b = LastLayerInfluence()(plain, inner, outer, rng=rng).values
    assert torch.allclose(a, b, atol=1e-5)


def newton(model, train, rows, damping):
    """Return the influence by the Hessian of the whole loss as autograd has it, one example at a time."""
    head, features = model.net[-1], model.net[:-1](train.x).double().detach()
    start = torch.cat([head.weight, head.bias[:, None]], 1).double().detach()

    def outputs(w, phi):
        return phi @ w[:, :-1].T + w[:, -1]

    def loss(w, keep):
        told = outputs(w, features[keep])
        if model.task.is_classification:
            return torch.nn.functional.cross_entropy(told, train.y[keep], reduction="sum")
        return (told[:, 0] - train.y[keep]).square().sum()

    def asked_of(w, phi, y):
        told = outputs(w, phi[None])[0]
        if not model.task.is_classification:
            return told[0]
        return told[y] - torch.cat([told[:y], told[y + 1 :]]).logsumexp(0)

    everyone = torch.arange(train.size)
    size = start.numel()
    full = torch.func.jacrev(torch.func.grad(loss))(start, everyone).reshape(size, size)
    level = damping * full.diagonal().mean() * torch.eye(size).double()
    seen = model.net[:-1](rows.x).double().detach()
    found = torch.zeros(rows.size, train.size).double()
    for i in range(train.size):
        others = everyone[everyone != i]
        hessian = (
            torch.func.jacrev(torch.func.grad(loss))(start, others).reshape(size, size) + level
        )
        slope = torch.func.grad(loss)(start, everyone[i : i + 1]).flatten()
        step = torch.linalg.solve(hessian, slope)
        for j in range(rows.size):
            found[j, i] = -torch.func.grad(asked_of)(start, seen[j], rows.y[j]).flatten() @ step
    return found


@settings(max_examples=6, deadline=None, derandomize=True)
@given(st.integers(0, 100), st.sampled_from([NUMBER, CLASSES]), st.sampled_from([0.01, 0.5]))
def test_equals_newtons_step_without_the_example(seed, task, damping):
    model = network(task, hidden=(4,), seed=seed)
    train, rows = examples(task, n=12, seed=seed), examples(task, n=3, seed=seed + 1)
    found = LastLayerInfluence(damping=damping)(model, train, rows, rng=seeded()).values
    assert torch.allclose(found, newton(model, train, rows, damping), rtol=1e-5, atol=1e-7)


def test_an_untrained_network_has_not_converged(rng):
    model = network(NUMBER, hidden=(4,))
    found = LastLayerInfluence()(model, examples(NUMBER), examples(NUMBER, n=4), rng=rng)
    assert found.is_converged is not None
    assert not found.is_converged.all()
    assert any("minimum" in str(t) for t in found.limits)


def test_damping_does_not_hide_that_training_has_not_ended(rng):
    model, train, rows = network(NUMBER), examples(NUMBER), examples(NUMBER, n=4)
    for damping in (0.0, 1e6):
        found = LastLayerInfluence(damping=damping)(model, train, rows, rng=rng)
        assert found.is_converged is not None
        padded = torch.cat([as_tensor(train.x).double(), torch.ones(train.size, 1).double()], 1)
        least = torch.linalg.lstsq(padded, train.y.double()[:, None]).solution
        asked_of = torch.cat([as_tensor(rows.x).double(), torch.ones(4, 1).double()], 1)
        there, here = (asked_of @ least)[:, 0], scores(model, rows)
        wanted = (there - here).abs() <= 0.1 * here.abs().clamp(min=1)
        assert torch.equal(found.is_converged, wanted)


def test_several_models_have_an_error(rng):
    models = [network(CLASSES, hidden=(4,), seed=i) for i in range(3)]
    train, rows = examples(CLASSES), examples(CLASSES, n=2)
    found = LastLayerInfluence()(models, train, rows, rng=rng)
    each = torch.stack([LastLayerInfluence()(m, train, rows, rng=rng).values for m in models])
    assert torch.allclose(found.values, each.mean(0))
    assert found.error is not None
    assert torch.allclose(found.error, each.std(0) / 3**0.5)


def test_what_has_no_linear_last_layer_says_so(rng):
    black = CallableModel(
        function=lambda x: x[:, 0], task=NUMBER, schema=schema(), answers="numbers"
    )
    train = examples(NUMBER)
    with pytest.raises(NotMeasurable, match="last layer"):
        LastLayerInfluence()(black, train, train, rng=rng)


@pytest.mark.parametrize("how", [{"class_weight": "balanced"}, {"l1_ratio": 0.5, "solver": "saga"}])
def test_a_loss_that_is_not_known_says_so(how, rng):
    train = examples(CLASSES)
    model = fitted(LogisticRegression(max_iter=5000, **how), train, CLASSES)
    with pytest.raises(NotMeasurable, match="known smooth loss"):
        LastLayerInfluence()(model, train, train, rng=rng)
