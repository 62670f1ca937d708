from typing import Any

import pytest
import torch
from games import of_columns, splits_of
from hypothesis import given, settings
from hypothesis import strategies as st
from pretenders import Doubled, Guesses

from fivefold.core.errors import NotMeasurable
from fivefold.explanation import ExactShapley, GradCAM, Infidelity, InputXGradient, LinearSHAP
from fivefold.explanation.trust.fall import claimed
from fivefold.explanation.trust.misfit import misfit
from seeding import seeded


def measured(probe, model, splits) -> Any:
    (found,) = probe(model, splits, rng=seeded(3))
    return found


def test_a_linear_model_is_told_without_error():
    w = torch.tensor([1.0, -2.0, 3.0, 0.5]).double()
    model, splits = (
        of_columns(4, lambda x: x @ w),
        splits_of(torch.randn(80, 4, generator=seeded(1))),
    )
    found = measured(Infidelity(explainer=ExactShapley()), model, splits)
    assert found.value == pytest.approx(0, abs=1e-12)
    assert found.floor > 0.5


def test_linear_log_odds_are_told_without_error(table):
    from sklearn.linear_model import LogisticRegression

    from fivefold.models import SklearnModel

    train = table.splits.seen.train
    line = LogisticRegression().fit(train.x.numpy(), train.y.numpy())
    model = SklearnModel(estimator=line, task=table.task, schema=table.schema)
    for explainer in (LinearSHAP(), ExactShapley()):
        found = measured(Infidelity(explainer=explainer), model, table.splits)
        assert found.value == pytest.approx(0, abs=1e-8)


def test_exact_values_are_better_than_guesses_and_guesses_are_at_the_floor(trained, table):
    exact = measured(Infidelity(explainer=ExactShapley()), trained, table.splits)
    guess = measured(Infidelity(explainer=Guesses()), trained, table.splits)
    assert exact.high < 0.3 < guess.low
    assert guess.low < guess.floor < guess.high


def test_sizes_matter_unless_they_are_scaled(trained, table):
    exact = measured(Infidelity(explainer=ExactShapley(), is_scaled=True), trained, table.splits)
    wrong = measured(Infidelity(explainer=Doubled()), trained, table.splits)
    scaled = measured(Infidelity(explainer=Doubled(), is_scaled=True), trained, table.splits)
    assert wrong.value > 0.8
    assert scaled.value == pytest.approx(exact.value)
    assert scaled.setting.endswith(", scaled")


def test_shapley_values_tell_more_than_gradients(trained_numbers, numbers):
    exact = measured(Infidelity(explainer=ExactShapley()), trained_numbers, numbers.splits)
    slope = measured(Infidelity(explainer=InputXGradient()), trained_numbers, numbers.splits)
    assert exact.value < slope.value


def test_an_answer_that_never_changes_has_no_reasons():
    flat = of_columns(3, lambda x: x[:, 0] * 0)
    with pytest.raises(NotMeasurable, match="stay the same"):
        Infidelity()(flat, splits_of(torch.randn(60, 3)), rng=seeded())


def test_an_explainer_that_does_not_fit_says_so(trained, table):
    with pytest.raises(NotMeasurable, match="GradCAM"):
        Infidelity(explainer=GradCAM())(trained, table.splits, rng=seeded())


def test_a_single_row_is_not_taken_for_certainty(trained, table):
    found = measured(Infidelity(n_rows=1), trained, table.splits)
    assert (found.low, found.high) == (0.0, float("inf"))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(1, 6), seed=st.integers(0, 1000), is_scaled=st.booleans())
def test_misfit_agrees_with_its_definition(n, seed, is_scaled):
    """Yeh et al., 2019, definition 2.1, and the optimal scaling that they propose, set by set."""
    values = torch.randn(2, n, generator=seeded(seed)).double()
    hidden = torch.rand(2, 9, n, generator=seeded(seed + 1)) < 0.5
    fall = torch.randn(2, 9, generator=seeded(seed + 2)).double()
    got = misfit(claimed(values, hidden), fall, is_scaled=is_scaled)
    for i in range(2):
        claims = [sum(float(v) for v, h in zip(values[i], s, strict=True) if h) for s in hidden[i]]
        truth = fall[i].tolist()
        square = sum(c * c for c in claims)
        stretch = sum(c * f for c, f in zip(claims, truth, strict=True)) / square if square else 0.0
        beta = stretch if is_scaled else 1.0
        wanted = sum((beta * c - f) ** 2 for c, f in zip(claims, truth, strict=True)) / 9
        assert got.error[i].item() == pytest.approx(wanted)
        assert got.nothing[i].item() == pytest.approx(sum(f * f for f in truth) / 9)
