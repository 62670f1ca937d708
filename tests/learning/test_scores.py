"""Scores against scikit-learn, and their bounds by simulation."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from fivefold.core.data import Batch, Seen, Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Evidence, Missing
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.learning import AUC, F1, R2, RMSE, Accuracy
from fivefold.learning.auc import area, log_odds, newcombe
from fivefold.learning.f1 import credible
from fivefold.models import CallableModel
from seeding import seeded

few = settings(max_examples=20, deadline=None, derandomize=True)


def splits_of(x, y):
    batch = Batch(x, y)
    return Splits(Seen(batch, batch), batch)


def asked(probe, outputs, y, task) -> Evidence:
    """Return what `probe` finds about a model that answers `outputs`."""
    kind = "logits" if task.is_classification else "numbers"
    shape = (outputs.shape[-1] if outputs.ndim > 1 else 1,)
    model = CallableModel(function=lambda x: x, task=task, schema=Schema(shape=shape), answers=kind)
    x = outputs if outputs.ndim > 1 else outputs[:, None]
    (found,) = probe(model, splits_of(x, y), rng=seeded())
    assert isinstance(found, Evidence)
    return found


def rows_of(found):
    assert found.chart
    return found.chart.rows


def drawn(seed, n, k, noise=2.0):
    own = seeded(seed)
    y = torch.cat([torch.arange(k), torch.randint(k, (n - k,), generator=own)])
    outputs = torch.nn.functional.one_hot(y, k) + noise * torch.randn(n, k, generator=own)
    return outputs.float(), y, Task(classes=tuple(f"c{i}" for i in range(k)))


@few
@given(st.integers(0, 999), st.integers(20, 60), st.integers(2, 5))
def test_accuracy_and_f1_agree_with_scikit_learn(seed, n, k):
    outputs, y, task = drawn(seed, n, k)
    top = outputs.argmax(-1)
    accuracy, f1 = asked(Accuracy(), outputs, y, task), asked(F1(), outputs, y, task)
    assert accuracy.value == pytest.approx(metrics.accuracy_score(y, top))
    assert f1.value == pytest.approx(metrics.f1_score(y, top, average="macro"))
    assert accuracy.floor == pytest.approx(y.bincount().max() / n)
    assert rows_of(accuracy)[0]["value"] == pytest.approx(
        metrics.confusion_matrix(y, top, normalize="true")[0, 0], abs=1e-4
    )


@few
@given(st.integers(0, 999), st.integers(20, 60), st.integers(2, 5), st.booleans())
def test_auc_agrees_with_scikit_learn(seed, n, k, has_ties):
    outputs, y, task = drawn(seed, n, k)
    outputs = outputs.round() if has_ties else outputs
    chance = outputs.double().softmax(-1).round(decimals=10).numpy()
    expected = np.mean([metrics.roc_auc_score(y == c, chance[:, c]) for c in range(k)])
    assert asked(AUC(), outputs, y, task).value == pytest.approx(expected, abs=1e-9)


def test_the_drawn_curve_is_the_roc_curve():
    outputs, y, task = drawn(0, 60, 2)
    found = asked(AUC(), outputs, y, task)
    x, height = zip(
        *((r["false positive rate"], r["true positive rate"]) for r in rows_of(found)),
        strict=True,
    )
    assert metrics.auc(x, height) == pytest.approx(found.value, abs=1e-3)


@few
@given(st.integers(0, 999), st.integers(5, 60))
def test_errors_of_numbers_agree_with_scikit_learn(seed, n):
    own = seeded(seed)
    y = torch.randn(n, generator=own)
    outputs = y + torch.randn(n, generator=own)
    task = Task(kind="regression", unit="years")
    r2, rmse = asked(R2(), outputs, y, task), asked(RMSE(), outputs, y, task)
    assert r2.value == pytest.approx(metrics.r2_score(y, outputs), abs=1e-5)
    assert rmse.value == pytest.approx(metrics.root_mean_squared_error(y, outputs), abs=1e-5)
    assert rmse.floor == pytest.approx(float(y.double().std(correction=0)))
    assert rmse.unit == "years"


@pytest.mark.parametrize("probe", [Accuracy(), F1(), AUC()])
@pytest.mark.parametrize("k", [2, 10])
def test_a_model_without_a_mistake_is_not_called_certain(probe, k):
    y = torch.arange(40) % k
    task = Task(classes=tuple(map(str, range(k))))
    found = asked(probe, 9 * torch.nn.functional.one_hot(y, k).float(), y, task)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low < 0.97


def test_certain_answers_are_still_ranked():
    """Float32 probabilities of these logits are all 1; their order is not lost."""
    outputs = torch.tensor([[0.0, 40.0], [0.0, 41.0], [0.0, 42.0], [0.0, 43.0]])
    found = asked(AUC(), outputs, torch.tensor([0, 0, 1, 1]), Task(classes=("a", "b")))
    assert found.value == 1.0


@few
@given(st.integers(2, 30), st.integers(2, 30), st.floats(0, 1))
def test_newcombes_bounds_are_where_the_score_is_at_the_limit(m, n, value):
    low, high = newcombe(value, m, n)
    assert 0 <= low <= value <= high <= 1
    spread = (m + n) / 2 - 1
    for bound in (low, high):
        if 1e-6 < bound < 1 - 1e-6:
            tail = (1 - bound) / (2 - bound) + bound / (1 + bound)
            error = (bound * (1 - bound) * (1 + spread * tail) / (m * n)) ** 0.5
            assert abs(value - bound) / error == pytest.approx(1.96, abs=1e-2)


def test_the_interval_of_auc_covers_the_truth():
    """Two normal distributions one deviation and a half apart."""
    own, truth, hits = seeded(), 0.5 * (1 + torch.erf(torch.tensor(1.5 / 2)).item()), 0
    for _ in range(400):
        score = torch.cat([torch.randn(25, generator=own) + 1.5, torch.randn(40, generator=own)])
        found = area(score, torch.arange(65) < 25)
        hits += found.low <= truth <= found.high
    assert hits / 400 > 0.92


def test_the_interval_of_f1_covers_the_truth():
    own, hits = seeded(1), 0
    chance = torch.tensor([[0.4, 0.05, 0.05], [0.05, 0.25, 0.05], [0.02, 0.03, 0.1]])
    truth = metrics_f1(chance)
    for _ in range(200):
        cells = torch.multinomial(chance.flatten(), 80, replacement=True, generator=own)
        low, high = credible(cells.bincount(minlength=9).view(3, 3), own)
        hits += low <= truth <= high
    assert hits / 200 > 0.9


def metrics_f1(table):
    scores = [2 * table[i, i] / (table[i].sum() + table[:, i].sum()) for i in range(len(table))]
    return float(sum(scores) / len(scores))


@pytest.mark.parametrize("probe", [Accuracy(), F1(), AUC()])
def test_floors_are_what_a_model_that_knows_nothing_reaches(probe):
    own = seeded(4)
    y = (torch.rand(20_000, generator=own) < 0.3).long()
    constant = torch.tensor([[1.0, 0.0]]).expand(len(y), 2)
    guess = torch.rand(len(y), generator=own)
    guess = torch.stack([torch.zeros(len(y)), (guess < 0.3).float() - 0.5], 1)
    task = Task(classes=("a", "b"))
    reached = [asked(probe, outputs, y, task) for outputs in (constant, guess)]
    assert max(r.value for r in reached) == pytest.approx(reached[0].floor, abs=0.01)


def test_each_score_says_where_it_does_not_belong(trained_numbers, numbers, trained, table):
    for probe in (Accuracy(), F1(), AUC()):
        with pytest.raises(NotMeasurable, match="classes"):
            probe(trained_numbers, numbers.splits, rng=seeded())
    for probe in (R2(), RMSE()):
        (found,) = probe(trained, table.splits, rng=seeded())
        assert isinstance(found, Missing)
        (found,) = probe(trained_numbers, numbers.splits, rng=seeded())
        assert isinstance(found, Evidence)


def test_says_what_cannot_be_scored():
    outputs, y, task = drawn(0, 20, 3)
    with pytest.raises(NotMeasurable, match="no test"):
        asked(F1(), outputs[:0], y[:0], task)
    with pytest.raises(NotMeasurable, match="one class"):
        asked(AUC(), outputs, torch.zeros_like(y), task)
    with pytest.raises(NotMeasurable, match="variance"):
        asked(R2(), outputs[:, 0], torch.ones(20), Task(kind="regression"))


def test_absent_classes_are_left_out_and_named():
    outputs, y, task = drawn(0, 40, 3)
    y = y.masked_fill(y == 2, 1)
    found = asked(AUC(), outputs, y, task)
    assert "c2" in str(found.note)
    chance = log_odds(outputs)
    expected = np.mean([metrics.roc_auc_score(y == c, chance[:, c]) for c in (0, 1)])
    assert found.value == pytest.approx(expected)
