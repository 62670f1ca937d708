from typing import Any

import pytest
import torch
from games import of_columns, splits_of
from pretenders import Doubled

from fivefold.core.errors import NotMeasurable
from fivefold.explanation import Completeness, ExactShapley, LeverageSHAP, Occlusion
from seeding import seeded


def measured(probe, model, splits) -> Any:
    (found,) = probe(model, splits, rng=seeded(3))
    return found


@pytest.mark.parametrize("explainer", [ExactShapley(), LeverageSHAP()])
def test_shapley_values_add_up(explainer, trained, table):
    found = measured(Completeness(explainer=explainer), trained, table.splits)
    assert found.high < 1e-9
    assert found.floor > 0.5


def test_what_does_not_add_up_is_measured_by_how_much(trained, table):
    assert measured(
        Completeness(explainer=Doubled()), trained, table.splits
    ).value == pytest.approx(1)
    assert measured(Completeness(explainer=Occlusion()), trained, table.splits).low > 0.01


def test_occlusion_of_a_product_misses_all_that_it_counts_twice():
    """Hiding either factor of x y takes all of it: the values add up to twice the rise."""
    x = torch.cat([torch.zeros(20, 2), torch.full((20, 2), 3.0)])
    model = of_columns(2, lambda v: v.prod(1))
    found = measured(Completeness(explainer=Occlusion()), model, splits_of(x, 20))
    assert found.value == pytest.approx(1)


def test_agrees_with_row_by_row(trained_numbers, numbers):
    from fivefold.core.randomness import spawn
    from fivefold.explanation.sample import explained, sample

    rng = seeded(3)
    rows = sample(numbers.splits, 40, 16, spawn(rng))
    found = explained(Occlusion(), trained_numbers, rows, spawn(rng))
    gap = rise = 0.0
    for i in range(40):
        move = float(found.attribution.score[i, 0] - found.attribution.base[i, 0])
        gap += abs(move - sum(found.values[i].tolist()))
        rise += abs(move)
    got = measured(Completeness(explainer=Occlusion()), trained_numbers, numbers.splits)
    assert got.value == pytest.approx(gap / rise)


def test_answers_of_the_background_have_nothing_to_add_up_to():
    flat = of_columns(3, lambda x: x[:, 0] * 0)
    with pytest.raises(NotMeasurable, match="nothing to add up to"):
        Completeness()(flat, splits_of(torch.randn(60, 3)), rng=seeded())


def test_a_single_row_has_no_floor_and_no_certainty(trained, table):
    found = measured(Completeness(n_rows=1), trained, table.splits)
    assert found.floor is None
    assert found.high == float("inf")
