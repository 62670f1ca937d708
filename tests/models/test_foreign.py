"""Models whose inside is not ours: scikit-learn estimators and plain functions."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.core.evidence import Evidence
from fivefold.core.model import HasNet, Model
from fivefold.core.task import Task
from fivefold.learning import Accuracy, Finetune
from fivefold.models import CallableModel, SklearnModel, import_function
from fivefold.models.answers import Kind
from seeding import seeded


def fitted(table, classes=("no", "yes")):
    train = table.splits.seen.train
    return LogisticRegression().fit(train.x.numpy(), np.array(classes)[train.y.numpy()])


def function(table, answer, kind: Kind = "probabilities", task=None):
    return CallableModel(
        function=answer, task=task or table.task, schema=table.schema, answers=kind
    )


@pytest.mark.parametrize("classes", [("no", "yes"), (0, 1), (0.0, 1.0)])
def test_answers_what_the_estimator_answers(table, classes):
    estimator, x = fitted(table, classes), table.splits.test.x
    model = SklearnModel(estimator=estimator, task=table.task, schema=table.schema)
    assert isinstance(model, Model)
    assert not isinstance(model, HasNet)
    assert np.allclose(model.predict(x).softmax(-1), estimator.predict_proba(x.numpy()), atol=1e-5)
    (found,) = Accuracy()(model, table.splits, rng=seeded())
    assert isinstance(found, Evidence)
    assert found.value > 0.9
    assert model.predict(x[:0]).shape == (0, 2)


def test_classes_come_in_the_order_of_the_task(table):
    task, x = Task(classes=("yes", "no")), table.splits.test.x
    here, there = (
        SklearnModel(estimator=fitted(table), task=t, schema=table.schema).predict(x)
        for t in (task, table.task)
    )
    assert torch.equal(here, there.flip(-1))


def test_regression_gives_a_column_of_numbers(numbers):
    train, x = numbers.splits.seen.train, numbers.splits.test.x
    estimator = make_pipeline(StandardScaler(), LinearRegression()).fit(
        train.x.numpy(), train.y.numpy()
    )
    model = SklearnModel(estimator=estimator, task=numbers.task, schema=numbers.schema)
    assert np.allclose(model.predict(x)[:, 0], estimator.predict(x.numpy()), atol=1e-5)


def test_estimators_that_do_not_fit_are_refused(table, images):
    def made(estimator, data=table):
        return SklearnModel(estimator=estimator, task=data.task, schema=data.schema)

    with pytest.raises(BadInput, match="classes"):
        made(fitted(table, ("ja", "nein")))
    with pytest.raises(BadInput, match="predict_proba"):
        made(Perceptron())
    with pytest.raises(BadInput, match="columns"):
        made(fitted(table), images)
    with pytest.raises(BadInput, match="not fitted"):
        made(LogisticRegression())
    with pytest.raises(BadInput, match="NaN"):
        made(fitted(table)).predict(torch.full((2, 6), torch.nan))


def test_a_function_is_a_model(table):
    answer = fitted(table).predict_proba
    model, x = function(table, answer), table.splits.test.x
    assert isinstance(model, Model)
    assert np.allclose(model.predict(x).softmax(-1), answer(x.numpy()), atol=1e-5)
    logits = function(table, lambda x: torch.from_numpy(x[:, :2]), "logits").predict(x)
    assert torch.equal(logits, x[:, :2])
    task = Task(kind="regression")
    assert function(table, lambda x: x[:, 0], "numbers", task).predict(x).shape == (len(x), 1)
    assert model.with_lineage(()).lineage == ()


def test_a_function_cannot_change_what_it_is_given(table):
    def greedy(x):
        x[:] = 0
        return np.full((len(x), 2), 0.5)

    x = table.splits.test.x.clone()
    function(table, greedy).predict(x)
    assert torch.equal(x, table.splits.test.x)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda x: np.ones((len(x), 3)) / 3, "shape"),
        (lambda x: np.ones(len(x) + 1), "shape"),
        (lambda x: np.full((len(x), 2), np.nan), "finite"),
        (lambda x: x[:, :2], "not probabilities"),
        (lambda x: [["a", "b"]] * len(x), "array of numbers"),
        (lambda x: None, "array of numbers|shape"),
        (lambda x: 1 / 0, "ZeroDivisionError"),
        (lambda x: [[1], [1, 2]], "array of numbers"),
    ],
)  # fmt: skip
def test_useless_answers_are_refused(table, answer, said):
    with pytest.raises(BadInput, match=said):
        function(table, answer).predict(table.splits.test.x)


def test_the_kind_of_answer_must_suit_the_task(table):
    with pytest.raises(BadInput, match="numbers"):
        function(table, len, "numbers")
    with pytest.raises(BadInput, match="logits"):
        function(table, len, "logits", Task(kind="regression"))


def test_a_function_cannot_be_finetuned(table):
    with pytest.raises(NotMeasurable, match="gradients"):
        Finetune()(function(table, len), table.splits.seen, rng=seeded())


def test_functions_are_named_by_import_path():
    assert import_function("math:sqrt")(4) == 2
    for name in ("math:nothing", "no_such_module:f", "math", ""):
        with pytest.raises(BadInput, match="cannot be imported"):
            import_function(name)
    with pytest.raises(BadInput, match="not a function"):
        import_function("math:pi")
