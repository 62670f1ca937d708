from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from games import of_columns, splits_of

from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.explanation import (
    LIME,
    Attribution,
    ExactShapley,
    Faithfulness,
    IntegratedGradients,
    LeverageSHAP,
)
from fivefold.explanation.curve import curves
from fivefold.explanation.sample import Explained, Sample
from seeding import seeded


@dataclass(frozen=True, kw_only=True)
class Backwards:
    """Calls important what is not."""

    def __call__(self, model, x, background, *, rng) -> Attribution:
        found = ExactShapley()(model, x, background, rng=rng)
        return replace(found, values=-found.values)


@dataclass(frozen=True, kw_only=True)
class Guesses:
    """Knows nothing."""

    def __call__(self, model, x, background, *, rng) -> Attribution:
        found = ExactShapley()(model, x, background, rng=rng)
        return replace(found, values=torch.randn(found.values.shape, generator=rng).double())


def measured(probe, model, splits, name="faithfulness") -> Any:
    return {f.name: f for f in probe(model, splits, rng=seeded(3))}[name]


@pytest.mark.parametrize(
    "explainer", [LeverageSHAP(), LIME(), IntegratedGradients(), ExactShapley()]
)
def test_real_explanations_beat_a_random_order(explainer, trained, table):
    found = measured(Faithfulness(explainer=explainer), trained, table.splits)
    assert found.low > 0.3
    assert found.chart is not None
    assert "have not converged" in str(found.note)


def test_wrong_explanations_fall_below_it_and_guesses_stay_at_it(trained, table):
    assert measured(Faithfulness(explainer=Backwards()), trained, table.splits).high < -0.3
    guess = measured(Faithfulness(explainer=Guesses(), n_rows=80), trained, table.splits)
    assert guess.low < 0.05
    assert guess.high > -0.05
    assert abs(guess.value) < 0.2


def test_one_feature_that_decides_alone_reaches_the_ceiling():
    model = of_columns(5, lambda x: 3 * x[:, 2])
    x = torch.cat([torch.zeros(20, 5), torch.ones(10, 5)])
    found = measured(Faithfulness(), model, splits_of(x, 10))
    assert found.value == pytest.approx(1.0)
    assert found.low == pytest.approx(1.0)


def test_each_curve_beats_random_orders_by_itself(trained, table):
    for explainer in (ExactShapley(), IntegratedGradients()):
        shown = measured(Faithfulness(explainer=explainer), trained, table.splits, "insertion_area")
        hidden = measured(Faithfulness(explainer=explainer), trained, table.splits, "deletion_area")
        assert shown.low > shown.floor == hidden.floor > hidden.high
    guess = Faithfulness(explainer=Guesses(), n_rows=80)
    assert (
        abs((one := measured(guess, trained, table.splits, "insertion_area")).value - one.floor)
        < 0.1
    )
    assert (
        measured(Faithfulness(explainer=Backwards()), trained, table.splits, "insertion_area").high
        < one.floor
    )


def test_areas_are_mean_heights_between_the_lowest_and_the_highest_answer():
    model = of_columns(4, lambda x: x @ torch.tensor([1.0, -4.0, 2.0, 0.5]).double())
    splits = splits_of(torch.randn(60, 4, generator=seeded(1)))
    for name in ("insertion_area", "deletion_area"):
        assert 0 <= measured(Faithfulness(), model, splits, name).value <= 1
    x, background = torch.ones(1, 3), torch.zeros(1, 3)
    steps = of_columns(3, lambda v: v @ torch.tensor([3.0, 2.0, 1.0]).double())
    attribution = ExactShapley()(steps, x, background, rng=seeded())
    found = Explained(attribution, torch.zeros(1).long(), attribution.values[..., 0])
    drawn = curves(steps, found, Sample(x, background), 1, 10, seeded())
    # answers, as distances from 6: shown 0, 3, 5, 6 and hidden 6, 3, 1, 0
    level = drawn.levels()[:2, 0]
    assert level.tolist() == pytest.approx(
        [(0 / 2 + 3 + 5 + 6 / 2) / 3, (6 / 2 + 3 + 1 + 0 / 2) / 3]
    )


def test_curves_agree_with_hiding_feature_by_feature():
    model = of_columns(4, lambda x: x @ torch.tensor([1.0, -4.0, 2.0, 0.5]).double())
    x, background = torch.randn(3, 4, generator=seeded(1)), torch.randn(5, 4, generator=seeded(2))
    attribution = ExactShapley()(model, x, background, rng=seeded())
    found = Explained(attribution, torch.zeros(3).long(), attribution.values[..., 0])
    drawn = curves(model, found, Sample(x, background), 2, 10, seeded())
    for i in range(3):
        order = found.values[i].abs().argsort(descending=True).tolist()
        for step in range(5):
            shown, hidden = background.clone(), x[i].repeat(5, 1)
            shown[:, order[:step]] = x[i, order[:step]]
            hidden[:, order[:step]] = background[:, order[:step]]
            full = model.predict(x[i : i + 1])
            wanted = [-(model.predict(v).mean() - full).abs().item() for v in (shown, hidden)]
            assert drawn.shown[i, step].item() == pytest.approx(wanted[0], abs=1e-6)
            assert drawn.hidden[i, step].item() == pytest.approx(wanted[1], abs=1e-6)
    assert torch.allclose(drawn.by_chance[:, :, 0], drawn.shown[:, :1].expand(-1, 2))
    assert torch.allclose(drawn.by_chance[:, :, -1], torch.zeros(3, 2).double(), atol=1e-6)


def test_an_answer_that_never_changes_has_no_reasons():
    with pytest.raises(NotMeasurable, match="stay the same"):
        Faithfulness()(
            of_columns(3, lambda x: x[:, 0] * 0), splits_of(torch.randn(60, 3)), rng=seeded()
        )


def test_a_single_feature_needs_no_ranking():
    with pytest.raises(NotMeasurable, match="single feature"):
        Faithfulness()(
            of_columns(1, lambda x: x[:, 0]), splits_of(torch.randn(60, 1)), rng=seeded()
        )


def test_a_single_row_is_not_taken_for_certainty(trained, table):
    found = measured(Faithfulness(n_rows=1), trained, table.splits)
    assert (found.low, found.high) == (-1.0, 1.0)


def test_gaps_in_the_data_are_named(trained, table):
    broken = table.splits.test.x.clone()
    broken[:, 4] = torch.nan
    splits = table.splits._replace(test=table.splits.test._replace(x=broken))
    with pytest.raises(BadInput, match="c4 is missing"):
        Faithfulness()(trained, splits, rng=seeded())
