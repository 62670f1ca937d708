"""Features are what their names say, and means leave out whoever knows the row."""

from math import exp, log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, rankdata

from fivefold.core.task import Task
from fivefold.privacy.leakage.features import calibrated, normal_scores, of_answer, of_explanation
from fivefold.privacy.shadow import halves
from seeding import seeded


def drawn(*size, seed=0):
    return torch.randn(size, generator=seeded(seed), dtype=torch.float64)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 99), n=st.integers(1, 6))
def test_features_of_an_explanation(seed, n):
    values = drawn(3, n, seed=seed)
    for row, found in zip(values.tolist(), of_explanation(values).T.tolist(), strict=True):
        size, mean = [abs(v) for v in row], sum(row) / n
        entropy = -sum(s / sum(size) * log(s / sum(size)) for s in size)
        spread = sum((v - mean) ** 2 for v in row) / n
        assert found == pytest.approx([sum(size), spread, entropy, max(size)], abs=1e-9)


def test_an_answer_is_sure_of_the_truth_and_of_what_it_names():
    output = torch.tensor([[0.0, 2.0], [3.0, 0.0]])
    found = of_answer(output, torch.tensor([0, 0]), Task(classes=("no", "yes")))
    low, high = (1 / (1 + exp(-z)) for z in (-2.0, 3.0))
    doubt = [2 * p * (1 - p) for p in (low, high)]
    for got, wanted in zip(found.tolist(), [[-2, 3], [2, 3], [low, high], doubt], strict=True):
        assert got == pytest.approx(wanted, abs=1e-6)
    number = of_answer(torch.tensor([[5.0]]), torch.tensor([3.0]), Task(kind="regression"))
    assert number.tolist() == [[-4.0], [5.0]]


def test_an_explanation_of_nothing():
    assert of_explanation(torch.zeros(2, 4).double()).tolist() == [[0.0, 0.0]] * 4


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 99), n_shadow=st.sampled_from([4, 6]))
def test_means_are_of_other_models_that_never_saw_the_row(seed, n_shadow):
    values = drawn(2, 1 + n_shadow, 5, seed=seed)
    inside = torch.cat([torch.zeros(1, 5).bool(), halves(5, n_shadow, seeded(seed))])
    found = calibrated(values, inside)
    for model in range(1 + n_shadow):
        for row in range(5):
            others = [m for m in range(1, 1 + n_shadow) if m != model and not inside[m, row]]
            wanted = values[:, model, row] - values[:, others, row].mean(1)
            torch.testing.assert_close(found[:, model, row], wanted)


def test_equal_values_differ_from_no_mean():
    """Otherwise ranks would make a difference of rounding errors."""
    values = torch.full((1, 9, 30), 0.1, dtype=torch.float64)
    inside = torch.cat([torch.ones(1, 30).bool(), halves(30, 8, seeded())])
    assert not calibrated(values, inside).any()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=12))
def test_scores_are_quantiles_of_ranks(told):
    found = normal_scores(torch.tensor(told).double())
    wanted = norm.ppf((rankdata(told) - 0.5) / len(told))
    assert found.tolist() == pytest.approx(wanted.tolist(), abs=1e-9)
