"""A sum of curves that stands for a model."""

import pytest
import torch
from games import Function, of_columns
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.schema import Column, Schema
from fivefold.explanation.glass_box import SurrogateGAM, surrogate
from fivefold.explanation.glass_box.additive import _solved
from fivefold.explanation.glass_box.curves import levels_of
from seeding import seeded


def numbers(n):
    return Schema(columns=tuple(Column(name=f"c{i}") for i in range(n)), shape=(n,))


def test_an_additive_model_is_found_curve_by_curve():
    model = of_columns(3, lambda x: (3 * x[:, 0]).sin() + x[:, 1].abs() + 0 * x[:, 2])
    x = torch.rand(3000, 3, generator=seeded()) * 2 - 1
    found = surrogate(model, x[:2500], x[2500:], SurrogateGAM(), rng=seeded())
    assert found.fidelity.low > 0.995
    glass = found.glass
    for column, shape in ((0, lambda k: (3 * k).sin()), (1, torch.abs)):
        knots = glass.levels.knots[column]  # pyright: ignore[reportAttributeAccessIssue]
        wanted = shape(knots) - shape(x[:2500, column].double()).mean()
        assert torch.allclose(glass.curve(column)[:-1, 0], wanted, atol=0.08)  # pyright: ignore[reportAttributeAccessIssue]
    assert glass.size()[2, 0] < 0.02  # pyright: ignore[reportAttributeAccessIssue]
    assert glass.pictures()[-1] == "c2"


def test_columns_that_tell_the_same_share_it():
    model = of_columns(2, lambda x: 4 * x[:, 0])
    x = torch.randn(800, 1, generator=seeded())
    x = torch.cat([x, x + 0.01 * torch.randn(800, 1, generator=seeded(1))], 1)
    found = surrogate(model, x[:500], x[500:], SurrogateGAM(), rng=seeded())
    assert found.fidelity.low > 0.99
    size = found.glass.size()[:, 0]  # pyright: ignore[reportAttributeAccessIssue]
    assert size.max() < 3


def test_what_columns_do_together_is_no_sum():
    model = of_columns(2, lambda x: x[:, 0] * x[:, 1])
    x = torch.randn(1200, 2, generator=seeded())
    found = surrogate(model, x[:800], x[800:], SurrogateGAM(), rng=seeded())
    assert found.fidelity.value < 0.2


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(3, 40), knots=st.integers(2, 8), seed=st.integers(0, 1000))
def test_a_row_is_as_near_to_its_two_knots_as_a_straight_line_says(n, knots, seed):
    x = torch.randn(n, 1, generator=seeded(seed))
    x[0] = torch.nan
    levels = levels_of(numbers(1), x, knots)
    places = levels.knots[0]
    heights = torch.randn(len(places) + 1, generator=seeded(seed + 1)).double()  # pyright: ignore[reportArgumentType]
    found = levels.design(x) @ heights
    for value, height in zip(x[:, 0].double().tolist(), found.tolist(), strict=True):
        if value != value:
            assert height == heights[-1]
            continue
        right = max(1, sum(p < value for p in places.tolist()))  # pyright: ignore[reportOptionalMemberAccess]
        a, b = float(places[right - 1]), float(places[min(right, len(places) - 1)])  # pyright: ignore[reportArgumentType, reportOptionalSubscript]
        share = 0.0 if a == b else (value - a) / (b - a)
        low, high = float(heights[right - 1]), float(heights[min(right, len(places) - 1)])  # pyright: ignore[reportArgumentType]
        assert height == pytest.approx(low + share * (high - low), abs=1e-9)


def test_a_straight_line_is_not_rough():
    x = torch.rand(50, 1, generator=seeded())
    levels = levels_of(numbers(1), x, 8)
    line = torch.cat([2 * levels.knots[0] + 1, torch.zeros(1).double()])  # pyright: ignore[reportOperatorIssue]
    assert line @ levels.roughness() @ line < 1e-9


def test_solves_the_penalised_least_squares_problem():
    rng = seeded()
    design, y = (
        torch.randn(30, 4, generator=rng).double(),
        torch.randn(30, 2, generator=rng).double(),
    )
    root = torch.randn(4, 4, generator=rng).double()
    found = _solved(design, y, root.T @ root)
    stacked = torch.cat([design / 30**0.5, root]), torch.cat([y / 30**0.5, torch.zeros(4, 2)])
    assert torch.allclose(found, torch.linalg.lstsq(*stacked).solution, atol=1e-6)


def test_gaps_and_categories_have_steps_and_what_was_never_seen_has_the_mean():
    columns = (
        Column(name="age", is_optional=True),
        Column(name="town", kind="category", categories=("a", "b", "c", "d")),
    )
    model = Function(
        lambda x: 4.0 * x[:, 0].isnan() + 2.0 * (x[:, 1] == 2),
        Schema(columns=columns, shape=(2,)),
    )
    rng = seeded()
    x = torch.stack([torch.randn(600, generator=rng), torch.arange(600) % 3 * 1.0], 1)
    x[torch.rand(600, generator=rng) < 0.3, 0] = torch.nan
    found = surrogate(model, x[:400], x[400:], SurrogateGAM(), rng=seeded())
    assert found.fidelity.value > 0.99
    unseen, mean = torch.tensor([[0.0, 3.0]]), found.glass.predict(x[:400])
    assert found.predict(unseen).isfinite().all()
    assert mean.min() <= found.predict(unseen) <= mean.max()
    assert "缺失" in found.words("zh")
    assert "at missing" in found.words("en")
    for column in ("age", "town"):
        assert found.plot(column).has_data()
    assert found._repr_html_().count("<svg") == 2
