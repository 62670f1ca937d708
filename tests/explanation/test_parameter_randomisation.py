from copy import deepcopy
from typing import Any

import pytest
import torch
from games import of_columns, splits_of
from hypothesis import given, settings
from hypothesis import strategies as st
from pretenders import Edges
from torch import nn

from fivefold.core.errors import NotMeasurable
from fivefold.core.fingerprint import of_state
from fivefold.explanation import (
    ExactShapley,
    IntegratedGradients,
    LeverageSHAP,
    ParameterRandomisation,
)
from fivefold.explanation.trust.redraw import redrawn, redrawn_from_the_top
from seeding import seeded


def measured(probe, model, splits) -> Any:
    return probe(model, splits, rng=seeded(3))


@pytest.mark.parametrize("explainer", [IntegratedGradients(most_intervals=16), ExactShapley()])
def test_explanations_of_the_model_change_with_its_weights(explainer, trained, table):
    signed, absolute = measured(ParameterRandomisation(explainer=explainer), trained, table.splits)
    assert signed.high < 0.8
    assert absolute.value < 0.8
    assert "stays at 1" in str(signed.note)


def test_pictures_too(trained_images, images):
    signed, _ = measured(
        ParameterRandomisation(explainer=LeverageSHAP(budget=256, draws=1)),
        trained_images,
        images.splits,
    )
    assert signed.high < 0.5
    assert signed.chart is not None
    series = [r for r in signed.chart.rows if r["series"] == "signed values"]
    assert [r["share of layers drawn anew"] for r in series] == [0.0, 0.5, 1.0]


def test_what_shows_the_input_is_exposed(trained_images, images):
    for found in measured(ParameterRandomisation(explainer=Edges()), trained_images, images.splits):
        assert (found.value, found.low, found.high, found.floor) == (1.0, 1.0, 1.0, 1.0)


def test_the_model_is_left_alone(trained, table):
    before = of_state(trained.net.state_dict())
    measured(ParameterRandomisation(), trained, table.splits)
    assert of_state(trained.net.state_dict()) == before


def test_a_black_box_has_no_weights_to_draw():
    with pytest.raises(NotMeasurable, match="none"):
        model = of_columns(3, lambda x: x.sum(1))
        ParameterRandomisation()(model, splits_of(torch.randn(60, 3)), rng=seeded())


def test_one_new_network_cannot_be_compared_with_another():
    with pytest.raises(ValueError, match="at least 2"):
        ParameterRandomisation(n_draws=1)


def test_a_network_without_weights_says_so():
    with pytest.raises(NotMeasurable, match="no weights"):
        redrawn(nn.Sequential(nn.ReLU()), seeded())


@settings(max_examples=20, deadline=None, derandomize=True)
@given(depth=st.integers(1, 6), n_stages=st.integers(1, 8))
def test_layers_are_drawn_from_the_last_to_the_first_and_stay_drawn(depth, n_stages):
    net: Any = nn.Sequential(*(nn.Sequential(nn.Linear(3, 3), nn.ReLU()) for _ in range(depth)))
    kept = deepcopy(net)
    seen: Any = list(redrawn_from_the_top(net, n_stages, seeded()))
    assert len(seen) == min(depth, n_stages)
    assert seen[-1][0] == 1.0
    before = [0] * depth
    for share, made in seen:
        is_new = [
            not torch.equal(a[0].weight, b[0].weight)
            for a, b in zip(made.children(), net.children(), strict=True)
        ]
        n_new = round(share * depth)
        assert is_new == [False] * (depth - n_new) + [True] * n_new
        assert sum(is_new) > sum(before)
        before = is_new
    assert all(torch.equal(a, b) for a, b in zip(kept.parameters(), net.parameters(), strict=True))


def test_new_weights_are_as_large_as_the_old_and_have_nothing_else_in_common():
    net: Any = nn.Sequential(nn.Linear(200, 100), nn.BatchNorm1d(100))
    with torch.no_grad():
        net[0].weight.fill_(0.5)
    made: Any = redrawn(net, seeded())
    assert made[0].weight.square().mean().sqrt().item() == pytest.approx(0.5, rel=0.02)
    assert abs(made[0].weight.mean().item()) < 0.02
    assert torch.equal(made[0].bias.sort().values, net[0].bias.sort().values)
    assert torch.equal(made[1].weight, net[1].weight)
    state = torch.random.get_rng_state()
    redrawn(net, seeded())
    assert torch.equal(torch.random.get_rng_state(), state)
