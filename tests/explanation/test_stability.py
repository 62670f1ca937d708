from typing import Any

import pytest
import torch
from games import Function, of_columns, splits_of
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.errors import NotMeasurable
from fivefold.core.schema import Column, Schema
from fivefold.explanation import ExactShapley, LeverageSHAP, Stability
from fivefold.explanation.trust.sensitivity import largest_change
from seeding import seeded


def measured(probe, model, splits) -> dict[str, Any]:
    return {f.name: f for f in probe(model, splits, rng=seeded(3))}


def test_a_smooth_model_is_steadier_than_a_jumpy_one():
    splits = splits_of(torch.randn(100, 5, generator=seeded(1)))
    smooth = measured(Stability(), of_columns(5, lambda x: x.sum(1)), splits)
    jumpy = measured(Stability(), of_columns(5, lambda x: (40 * x).sin().sum(1)), splits)
    assert smooth["sensitivity"].high < 0.3 * jumpy["sensitivity"].low
    assert smooth["rank_stability"].low > jumpy["rank_stability"].high


def test_the_change_of_a_linear_model_is_known():
    """An attribution w (x - b) moves by w dx, so by at most eps / 5 of itself where x - b is 5."""
    w = torch.tensor([1.0, 2.0, -3.0, 0.5]).double()
    x = torch.cat([torch.zeros(20, 4), torch.full((40, 4), 5.0)])
    probe = Stability(explainer=ExactShapley(), eps=0.1, n_changes=20)
    found = measured(probe, of_columns(4, lambda v: v @ w), splits_of(x, 40))
    assert 0.5 * 0.1 / 5 < found["sensitivity"].value <= 0.1 / 5 + 1e-6


def test_exact_values_do_not_depend_on_the_seed_and_sampled_ones_do():
    splits = splits_of(torch.randn(100, 9, generator=seeded(1)))
    model = of_columns(9, lambda x: (x[:, :3].prod(1) + x[:, 3:].sin().prod(1)) * 3 + x[:, 4])
    exact = measured(Stability(explainer=ExactShapley()), model, splits)
    rough = measured(Stability(explainer=LeverageSHAP(budget=40, draws=1)), model, splits)
    assert exact["seed_agreement"].value == 1.0
    assert rough["seed_agreement"].high < 1.0
    assert "0 of 64" not in str(rough["sensitivity"].note)


def test_what_may_not_move_is_left_alone():
    kind = Column(name="k", kind="category", categories=("a", "b"))
    fixed = Column(name="f", is_immutable=True)
    schema = Schema(columns=(kind, fixed), shape=(2,))
    model = Function(lambda x: x.sum(1), schema)
    with pytest.raises(NotMeasurable, match="may move"):
        Stability()(model, splits_of(torch.ones(60, 2)), rng=seeded())


def test_changes_stay_inside_eps_and_the_range():
    from fivefold.explanation.stability import _moved

    columns = (
        Column(name="a", low=0.0, high=1.0, scale=1.0),
        Column(name="b", scale=10.0),
        Column(name="c", is_immutable=True),
    )
    x = torch.tensor([[0.0, 5.0, 2.0], [1.0, torch.nan, 3.0]])
    near = _moved(x, Schema(columns=columns, shape=(3,)), 0.1, 50, seeded())
    assert near[..., 0].min() >= 0
    assert near[..., 0].max() <= 1
    assert (near[:, 0, 1] - 5).abs().max() <= 1 + 1e-5
    assert (near[:, 0, 1] - 5).abs().max() > 0.8
    assert near[:, 1, 1].isnan().all()
    assert torch.equal(near[..., 2], x[:, 2].expand(50, -1))


def test_floors_are_those_of_another_row(trained, table):
    found = measured(Stability(explainer=ExactShapley()), trained, table.splits)
    assert found["sensitivity"].high < found["sensitivity"].floor
    assert found["rank_stability"].low > found["rank_stability"].floor
    alone = measured(Stability(explainer=ExactShapley(), n_rows=1), trained, table.splits)
    assert alone["sensitivity"].floor is None


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(1, 5), changes=st.integers(1, 4), seed=st.integers(0, 1000))
def test_the_largest_change_agrees_with_looking_at_each(n, changes, seed):
    """Yeh et al., 2019, definition 3.1, relative to the length of the attributions."""
    plain = torch.randn(3, n, generator=seeded(seed)).double()
    others = torch.randn(changes, 3, n, generator=seeded(seed + 1)).double()
    for i, got in enumerate(largest_change(plain, others).tolist()):
        length = sum(float(v) ** 2 for v in plain[i]) ** 0.5
        gaps = [
            sum((float(a) - float(b)) ** 2 for a, b in zip(plain[i], o[i], strict=True)) ** 0.5
            for o in others
        ]
        assert got == pytest.approx(max(gaps) / length)
