from typing import Any

import pytest
import torch
from games import of_columns, splits_of
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.evidence import Missing
from fivefold.explanation import Attributions, ExactShapley, IntegratedGradients, LeverageSHAP
from fivefold.explanation.attributions import decisive
from seeding import seeded


def measured(probe, model, splits) -> dict[str, Any]:
    return {f.name: f for f in probe(model, splits, rng=seeded(3))}


def test_the_features_that_matter_come_first_in_the_picture(trained, table):
    found = measured(Attributions(), trained, table.splits)["decisive_features"]
    assert {row["feature"] for row in found.chart.rows[:2]} == {"c0", "c1"}
    assert found.chart.rows[0]["low"] > 0
    assert found.low < 4


def test_an_image_gets_one_map_per_class(trained_images, images):
    chart = measured(Attributions(), trained_images, images.splits)["decisive_features"].chart
    assert chart.kind == "heat"
    assert {row["class"] for row in chart.rows} == {"row", "column", "diagonal"}
    assert len(chart.rows) == 3 * 64


def test_a_few_equal_features_are_counted():
    x = torch.cat([torch.zeros(30, 8), torch.ones(10, 8)])
    model = of_columns(8, lambda v: v[:, :5].sum(1))
    found = measured(Attributions(share=0.8), model, splits_of(x, 10))
    assert found["decisive_features"].value == 4
    assert found["attribution_error"].value == pytest.approx(0, abs=1e-6)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(1, 8), share=st.floats(0.05, 0.95), seed=st.integers(0, 1000))
def test_counting_agrees_with_adding_up(n, share, seed):
    values = torch.randn(2, n, generator=seeded(seed)).double()
    for row, found in zip(values, decisive(values, share).tolist(), strict=True):
        sizes, total, count = sorted(row.abs().tolist(), reverse=True), 0.0, 0
        while total < share * sum(sizes):
            total, count = total + sizes[count], count + 1
        assert found == count


def test_exact_values_have_no_error_and_sampled_ones_say_theirs(trained, table):
    exact = measured(Attributions(explainer=ExactShapley()), trained, table.splits)
    rough = measured(
        Attributions(explainer=LeverageSHAP(budget=24, draws=1)), trained, table.splits
    )
    slopes = measured(Attributions(explainer=IntegratedGradients()), trained, table.splits)
    assert exact["attribution_error"].value < 1e-6
    assert rough["attribution_error"].value > 0.05
    assert 0 < slopes["attribution_error"].value < 0.05


def test_an_error_that_cannot_be_judged_is_missing_not_small():
    model = of_columns(30, lambda x: x.prod(1))
    splits = splits_of(torch.rand(80, 30, generator=seeded(1)) + 0.5)
    found = measured(Attributions(explainer=LeverageSHAP(budget=20)), model, splits)
    assert isinstance(found["attribution_error"], Missing)


def test_a_model_without_reasons_needs_no_feature():
    splits = splits_of(torch.randn(60, 4, generator=seeded(1)))
    found = measured(Attributions(), of_columns(4, lambda x: x[:, 0] * 0 + 2), splits)
    assert found["decisive_features"].value == 0
