"""Closed form against listing all sets of features, for estimators, pipelines and networks."""

from itertools import product
from math import factorial

import numpy as np
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    ElasticNet,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from fivefold.core.errors import NotMeasurable
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.explanation import ExactShapley, LinearSHAP, explain
from fivefold.models import MLP, CallableModel, SklearnModel, TorchModel, fresh
from fivefold.perturb import Features
from seeding import seeded

N = 5


def rows(n, seed, *, gaps=False):
    x = torch.randn(n, N, generator=seeded(seed))
    x[:, 2] = torch.randint(0, 4, (n,), generator=seeded(seed + 1)).float()
    if gaps:
        x[torch.rand(n, generator=seeded(seed + 2)) < 0.3, 1] = torch.nan
    return x


def target(x, kind):
    score = (x.nan_to_num() @ torch.arange(1.0, N + 1)).numpy()
    if kind == "number":
        return np.abs(score)
    return np.digitize(score, np.quantile(score, np.linspace(0, 1, kind + 1)[1:-1]))


def model_of(estimator, kind):
    task = Task(kind="regression") if kind == "number" else Task(classes=tuple("abc"[:kind]))
    columns = tuple(Column(name=f"c{i}", is_optional=True) for i in range(N))
    return SklearnModel(estimator=estimator, task=task, schema=Schema(columns=columns, shape=(N,)))


def by_definition(score, x, background, members):
    n, total = max(members) + 1, 0.0
    worth = {}
    for kept in product((False, True), repeat=n):
        mask = torch.tensor(kept)[torch.tensor(members)]
        mixed = torch.where(mask, x[:, None], background).reshape(-1, N)
        worth[kept] = np.asarray(score(mixed.numpy())).reshape(len(x), len(background), -1).mean(1)
    values = np.zeros((len(x), n, next(iter(worth.values())).shape[1])) + total
    for kept, without in worth.items():
        for i in (i for i in range(n) if not kept[i]):
            size = sum(kept)
            weight = factorial(size) * factorial(n - 1 - size) / factorial(n)
            values[:, i] += weight * (worth[(*kept[:i], True, *kept[i + 1 :])] - without)
    return values


CASES = [
    (LinearRegression(), "number", "predict"),
    (make_pipeline(StandardScaler(), Ridge()), "number", "predict"),
    (ElasticNet(alpha=0.1), "number", "predict"),
    (LogisticRegression(max_iter=1000), 2, "decision_function"),
    (LogisticRegression(max_iter=1000), 3, "decision_function"),
    (
        make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", random_state=0)),
        2,
        "decision_function",
    ),
    (
        make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", random_state=0)),
        3,
        "decision_function",
    ),
    (LinearDiscriminantAnalysis(), 2, "decision_function"),
]


@pytest.mark.parametrize(("estimator", "kind", "method"), CASES, ids=str)
def test_agrees_with_the_definition(estimator, kind, method):
    train = rows(200, 0)
    model = model_of(estimator.fit(train.numpy(), target(train, kind)), kind)
    x, background = rows(3, 1), rows(6, 2)
    found = LinearSHAP()(model, x, background, rng=seeded())
    wanted = by_definition(getattr(estimator, method), x, background, list(range(N)))
    assert np.allclose(found.values.numpy()[..., -wanted.shape[2] :], wanted, atol=1e-5)
    assert found.gap.abs().max() < 1e-9
    if kind == 2:
        assert torch.equal(found.values[..., 0], -found.values[..., 1])
        assert str(found.unit) == "log-odds"


def test_values_are_coefficients_times_the_distance_from_the_mean():
    train = rows(200, 0)
    estimator = LinearRegression().fit(train.numpy(), target(train, "number"))
    x, background = rows(3, 1), rows(6, 2)
    found = LinearSHAP()(model_of(estimator, "number"), x, background, rng=seeded())
    away = x.double() - background.double().mean(0)
    assert torch.allclose(found.values[..., 0], away * torch.tensor(estimator.coef_), atol=1e-6)


def test_steps_before_and_columns_that_count_together():
    train = rows(300, 0, gaps=True)
    prepare = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), [2]),
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), [1, 4, 0]),
    )
    estimator = make_pipeline(prepare, LogisticRegression()).fit(train.numpy(), target(train, 2))
    x, background = rows(3, 1, gaps=True), rows(6, 2, gaps=True)
    features = Features(together=(("c0", "c2"),))
    found = LinearSHAP(features=features)(model_of(estimator, 2), x, background, rng=seeded())
    wanted = by_definition(estimator.decision_function, x, background, [0, 1, 0, 2, 3])
    assert np.allclose(found.values.numpy()[..., 1:], wanted, atol=1e-6)
    assert (found.values[:, 2] == 0).all()  # dropped by the preparation


def test_logarithm_of_a_count():
    train = rows(200, 0)
    estimator = PoissonRegressor().fit(train.numpy(), target(train, "number").round())
    found = LinearSHAP()(model_of(estimator, "number"), rows(3, 1), rows(6, 2), rng=seeded())
    assert str(found.unit) == "logarithm of the target"
    assert np.allclose(found.score[:, 0].exp(), estimator.predict(rows(3, 1).numpy()))


@pytest.mark.parametrize("data", ["table", "numbers"])
def test_a_network_without_hidden_layers(request, data):
    given = request.getfixturevalue(data)
    model = fresh(MLP(hidden=()), given, seeded())
    x, background = given.splits.test.x[:5], given.splits.test.x[5:15]
    found = LinearSHAP()(model, x, background, rng=seeded())
    wanted = ExactShapley()(model, x, background, rng=seeded())
    assert torch.allclose(found.values, wanted.values, atol=1e-5)
    assert found.unit == wanted.unit


def test_a_network_of_images(images):
    model = fresh(MLP(hidden=()), images, seeded())
    x = images.splits.test.x
    found = LinearSHAP(features=Features(grid=3))(model, x[:4], x[4:12], rng=seeded())
    assert found.values.shape == (4, 9, 3)
    assert torch.allclose(found.score, model.predict(x[:4]).double(), atol=1e-5)


def test_what_is_not_linear_is_refused(untrained: TorchModel):
    train = rows(100, 0)
    y = target(train, "number")
    tree = model_of(DecisionTreeRegressor().fit(train.numpy(), y), "number")
    mixed = make_pipeline(PolynomialFeatures(), Ridge()).fit(train.numpy(), y)
    asked = CallableModel(
        function=lambda x: x[:, 0], task=tree.task, schema=tree.schema, answers="numbers"
    )
    for model in (tree, model_of(mixed, "number"), asked):
        with pytest.raises(NotMeasurable, match=r"linear|alone"):
            LinearSHAP()(model, train[:2], train[2:4], rng=seeded())
    x = torch.zeros(2, 6)
    with pytest.raises(NotMeasurable, match="not linear"):
        LinearSHAP()(untrained, x, x, rng=seeded())


def test_explain_takes_the_closed_form_by_itself(rng):
    train = rows(100, 0)
    model = model_of(LogisticRegression(max_iter=1000).fit(train.numpy(), target(train, 2)), 2)
    found = explain(model, train[:3], train[3:9], rng=rng)
    assert found.method == "LinearSHAP"
    assert "linear" in str(found.reason)
