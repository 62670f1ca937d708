"""LIME of tables: the two ways of its authors, faster and with known errors."""

from dataclasses import replace

import pytest
import torch
from games import Function, of_columns
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.core.schema import Column, Schema
from fivefold.explanation.lime import TabularLIME
from fivefold.explanation.ranking import ranking
from seeding import seeded


def quartile(column, value):
    return torch.bucketize(value.contiguous(), column.quantile(torch.tensor([0.25, 0.5, 0.75])))


def smooth(n, seed):
    """A network with interactions of every order."""
    rng = seeded(seed)
    inner, outer = torch.randn(n, 12, generator=rng).double(), torch.randn(12, generator=rng)
    return of_columns(n, lambda x: torch.tanh(x @ inner) @ outer.double())


def best_line(model, x, background, width):
    """Return the weighted line through every row that columns of the background can make (three columns)."""
    n = background.shape[1]
    index = torch.cartesian_prod(*[torch.arange(len(background))] * n)
    rows = background[index, torch.arange(n)]
    keep = torch.stack(
        [
            quartile(background[:, i], rows[:, i].contiguous()) == quartile(background[:, i], x[i])
            for i in range(n)
        ],
        1,
    ).double()
    root = torch.exp(-(1 - keep).sum(1) / (2 * n * width**2)).sqrt()[:, None]
    design = torch.cat([torch.ones(len(keep), 1), keep], 1)
    return torch.linalg.lstsq(root * design, root * model.predict(rows)).solution[:, 0]


@settings(max_examples=6, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1000), width=st.sampled_from([0.4, 0.75]))
def test_finds_the_weighted_line_through_all_rows_there_are(seed, width):
    rng, model = seeded(seed), smooth(3, seed)
    background, x = torch.randn(9, 3, generator=rng), torch.randn(2, 3, generator=rng)
    found = TabularLIME(budget=20_000, width=width)(model, x, background, rng=rng)
    for row in range(2):
        line = best_line(model, x[row], background, width)
        assert torch.allclose(found.values[row, :, 0], line[1:], atol=0.05)
        assert torch.allclose(found.base[row, 0], line[0], atol=0.05)


@pytest.mark.parametrize("budget", [60, 2000])
def test_intervals_cover_the_line_through_all_rows(budget):
    hits = []
    for seed in range(50):
        rng, model = seeded(seed), smooth(3, seed)
        background, x = torch.randn(9, 3, generator=rng), torch.randn(1, 3, generator=rng)
        found = TabularLIME(budget=budget)(model, x, background, rng=rng)
        assert found.half_width is not None
        away = found.values[0, :, 0] - best_line(model, x[0], background, 0.75)[1:]
        hits.append(away.abs() <= found.half_width[0, :, 0])
    assert 0.91 <= torch.cat(hits).double().mean() <= 0.995


@pytest.mark.parametrize("sampling", ["quartiles", "around"])
def test_a_high_level_changes_nothing_but_the_base(sampling):
    low = smooth(3, 1)
    high = Function(lambda x: low.function(x) + 1e6, low.schema)
    background, x = torch.randn(40, 3, generator=seeded()), torch.randn(2, 3, generator=seeded(1))
    lime = TabularLIME(budget=1000, sampling=sampling)
    a, b = (lime(model, x, background, rng=seeded()) for model in (low, high))
    assert torch.allclose(a.values, b.values, atol=1e-4)
    assert torch.allclose(a.base + 1e6, b.base, atol=1e-3)
    assert torch.allclose(a.fit, b.fit, atol=1e-4)  # pyright: ignore[reportArgumentType]


def test_of_an_additive_model_hardly_anything_is_left_to_chance():
    model = of_columns(4, lambda x: 3 * x[:, 0] + x[:, 1] - x[:, 2])
    background, x = torch.randn(200, 4, generator=seeded()), torch.ones(1, 4)
    found = TabularLIME()(model, x, background, rng=seeded(1))
    inside = torch.stack([quartile(c, c) == quartile(c, torch.tensor(1.0)) for c in background.T])
    gain = [
        float(c[same].mean() - c[~same].mean())
        for c, same in zip(background.T, inside, strict=True)
    ]
    wanted = torch.tensor([3.0, 1.0, -1.0, 0.0]).double() * torch.tensor(gain).double()
    assert torch.allclose(found.values[0, :, 0], wanted, atol=1e-3)
    assert found.error is not None
    assert found.error.max() < 1e-3


def test_around_a_row_the_slope_of_a_linear_model_times_the_way_from_the_mean():
    w = torch.tensor([2.0, -1.0, 0.0]).double()
    model = of_columns(3, lambda x: x @ w + 1)
    background, x = torch.randn(50, 3, generator=seeded()), torch.randn(2, 3, generator=seeded(1))
    found = TabularLIME(sampling="around")(model, x, background, rng=seeded())
    assert torch.allclose(found.values[..., 0], w * (x - background.mean(0)), atol=1e-3)
    assert found.gap.abs().max() < 1e-3
    assert found.is_converged.all()


def test_around_a_row_curvature_is_no_slope():
    model = of_columns(2, lambda x: 5 * x[:, 0] ** 2 + x[:, 1])
    background = torch.tensor([[-1.0, -1.0], [1.0, 1.0], [2.0, 0.0]])
    found = TabularLIME(sampling="around", budget=200)(
        model, torch.tensor([[0.0, 1.0]]), background, rng=seeded()
    )
    assert found.values[0, 0, 0].abs() < 1e-3


@pytest.mark.parametrize("sampling", ["quartiles", "around"])
def test_the_same_seed_gives_the_same_and_each_row_does_not_depend_on_the_others(sampling):
    model, rng = smooth(4, 0), seeded()
    background, x = torch.randn(30, 4, generator=rng), torch.randn(5, 4, generator=rng)
    lime = TabularLIME(budget=500, sampling=sampling)
    together = lime(model, x, background, rng=seeded(7))
    for row in range(5):
        alone = lime(model, x[row : row + 1], background, rng=seeded(7))
        assert torch.allclose(alone.values[0], together.values[row], atol=1e-5)
        assert torch.allclose(alone.fit[0], together.fit[row], atol=1e-5)  # pyright: ignore[reportOptionalSubscript]


def mixed() -> tuple[Function, torch.Tensor]:
    """A number with gaps and a category; gaps are worth 4, the third category 2."""
    columns = (
        Column(name="age", is_optional=True),
        Column(name="town", kind="category", categories=("a", "b", "c")),
    )

    def answer(x):
        return 4.0 * x[:, 0].isnan() + 2.0 * (x[:, 1] == 2) + x[:, 0].nan_to_num() * 0

    rng = seeded()
    x = torch.stack([torch.randn(90, generator=rng), torch.arange(90) % 3 * 1.0], 1)
    x[::3, 0] = torch.nan
    return Function(answer, Schema(columns=columns, shape=(2,))), x[
        torch.randperm(90, generator=rng)
    ]


def test_gaps_and_categories_are_cells_of_their_own():
    model, background = mixed()
    x = torch.tensor([[torch.nan, 2.0], [0.3, 0.0]])
    found = TabularLIME()(model, x, background, rng=seeded())
    assert torch.allclose(found.values[0, :, 0], torch.tensor([4.0, 2.0]).double(), atol=1e-3)
    assert found.values[1, 1, 0] == pytest.approx(-1.0, abs=1e-3)


def test_of_a_category_never_seen_nothing_is_known_and_a_constant_cannot_matter():
    model, background = mixed()
    background = background[background[:, 1] != 2]
    unseen = TabularLIME()(model, torch.tensor([[0.0, 2.0]]), background, rng=seeded())
    assert unseen.error is not None
    assert unseen.error[0, 1, 0].isinf()
    assert not unseen.is_converged[0]
    background = background[background[:, 1] == 0]
    constant = TabularLIME()(model, torch.tensor([[0.0, 0.0]]), background, rng=seeded())
    assert constant.error is not None
    assert constant.values[0, 1, 0] == constant.error[0, 1, 0] == 0


def test_features_whose_intervals_overlap_are_not_ranked():
    model = of_columns(3, lambda x: x[:, 0] + x[:, 1] + 9 * x[:, 2] + 2 * (x[:, 0] * x[:, 1]).sin())
    background = torch.randn(100, 3, generator=seeded())
    found = TabularLIME(budget=300)(model, torch.ones(1, 3), background, rng=seeded())
    assert ranking(found).groups == (("c2",), ("c0", "c1"))
    assert "2 to 3, not told apart: c0, c1" in str(ranking(found))


@pytest.mark.parametrize("sampling", ["quartiles", "around"])
def test_what_cannot_be_explained_is_refused(sampling, images, trained_images):
    lime = TabularLIME(sampling=sampling, budget=50)
    with pytest.raises(NotMeasurable):
        lime(trained_images, images.splits.test.x, images.splits.test.x, rng=seeded())
    broken = of_columns(2, lambda x: x[:, 0] / 0)
    with pytest.raises(NotMeasurable):
        lime(broken, torch.ones(1, 2), torch.ones(3, 2), rng=seeded())
    with pytest.raises(BadInput):
        lime(broken, torch.full((1, 2), torch.inf), torch.ones(3, 2), rng=seeded())


def test_a_missing_number_cannot_be_moved():
    model, background = mixed()
    with pytest.raises(BadInput, match="quartiles"):
        TabularLIME(sampling="around")(model, background[:1], background, rng=seeded())


def test_a_budget_of_one_is_not_converged():
    model = smooth(4, 0)
    for sampling in ("quartiles", "around"):
        lime = replace(TabularLIME(budget=1), sampling=sampling)
        found = lime(model, torch.ones(1, 4), torch.randn(9, 4, generator=seeded()), rng=seeded())
        assert not found.is_converged.any()
