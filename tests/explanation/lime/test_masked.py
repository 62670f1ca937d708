import pytest
import torch
from games import of_columns, of_game, ones, random_game
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.explanation import LIME
from fivefold.explanation.lime.masked import sets_near
from fivefold.explanation.ranking import ranking
from seeding import seeded


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(1, 10), draws=st.integers(0, 2), seed=st.integers(0, 1000))
def test_a_linear_model_gets_its_coefficients_back(n, draws, seed):
    rng = seeded(seed)
    w = torch.randn(n, generator=rng).double()
    x, background = torch.randn(3, n, generator=rng), torch.randn(5, n, generator=rng)
    model = of_columns(n, lambda v: v @ w + 2)
    found = LIME(budget=20 * n + 10, draws=draws)(model, x, background, rng=rng)
    assert torch.allclose(found.values[..., 0], w * (x - background.mean(0)), atol=2e-3)
    assert torch.allclose(found.base[:, 0], background.double().mean(0) @ w + 2, atol=2e-3)
    assert found.fit is not None
    assert found.fit.min() > 0.999


def test_agrees_with_ridge_regression_of_the_stacked_problem():
    game, budget = random_game(6, 1), 200
    found = LIME(budget=budget, penalty=0.01)(of_game(6, game), *ones(6), rng=seeded(5))
    keep = sets_near(budget, 6, 0.75, seeded(5))
    scores = game(keep.float())[:, None]
    pull = torch.eye(7).double()[1:] * (0.01 * budget) ** 0.5
    design = torch.cat([torch.ones(budget, 1), keep], 1).double()
    stacked = torch.cat([design, pull]), torch.cat([scores, torch.zeros(6, 1)])
    twin = torch.linalg.lstsq(*stacked).solution[:, 0]
    assert torch.allclose(found.values[0, :, 0], twin[1:], atol=1e-8)
    assert torch.allclose(found.base[0, 0], twin[0], atol=1e-8)
    residual = scores - design @ twin[:, None]
    wanted = 1 - residual.square().sum() / (scores - scores.mean()).square().sum()
    assert found.fit is not None
    assert torch.isclose(found.fit[0, 0], wanted)


def best_line(game, n, width):
    """Return the slopes of the weighted line through all sets of features, as the paper defines it."""
    keep = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * n).double()
    root = torch.exp(-(1 - keep).mean(1) / width**2).sqrt()[:, None]
    design = torch.cat([torch.ones(len(keep), 1), keep], 1)
    return torch.linalg.lstsq(root * design, root * game(keep)[:, None]).solution[1:, 0]


@pytest.mark.parametrize("width", [0.25, 0.75])
def test_drawing_as_the_kernel_weighs_finds_the_weighted_line_of_all_sets(width):
    game = random_game(6, 3)
    found = LIME(budget=30_000, width=width)(of_game(6, game), *ones(6), rng=seeded())
    assert torch.allclose(found.values[0, :, 0], best_line(game, 6, width), atol=0.06)


def test_what_no_line_fits_is_not_called_stable():
    found = LIME()(of_game(6, lambda x: x.sum(1) % 2), *ones(6), rng=seeded())
    assert found.fit is not None
    assert found.fit.max() < 0.5
    assert not found.is_converged.any()


def test_more_sets_than_needed_make_it_stable_and_too_few_do_not():
    game = random_game(6, 2)
    assert LIME(budget=2000)(of_game(6, game), *ones(6), rng=seeded()).is_converged.all()
    assert not LIME(budget=7)(of_game(6, game), *ones(6), rng=seeded()).is_converged.any()


@pytest.mark.parametrize(("budget", "width"), [(40, 0.75), (200, 0.75), (1000, 0.3)])
def test_intervals_cover_the_best_line_of_games_whose_best_line_is_known(budget, width):
    hits = []
    for seed in range(60):
        game = random_game(5, seed)
        found = LIME(budget=budget, width=width)(of_game(5, game), *ones(5), rng=seeded(seed))
        away = (found.values[0, :, 0] - best_line(game, 5, width)).abs()
        assert found.half_width is not None
        hits.append(away <= found.half_width[0, :, 0])
    assert 0.90 <= torch.cat(hits).double().mean() <= 0.99


def test_opposite_sets_cancel_interactions_of_two():
    def product(x):
        return x[:, 0] * x[:, 1] + x[:, 2] * x[:, 3]

    wide = LIME(budget=200, width=20.0)(of_game(4, product), *ones(4), rng=seeded())
    assert torch.allclose(wide.values, torch.tensor(0.5).double(), atol=0.01)


def test_what_is_never_hidden_is_not_known():
    found = LIME(width=0.02)(of_game(4, random_game(4, 0)), *ones(4), rng=seeded())
    assert found.error is not None
    assert found.error.isinf().all()
    assert not found.is_converged.any()
    assert len(ranking(found).groups) == 1


def test_a_constant_is_fitted_by_itself():
    found = LIME()(of_game(4, lambda x: x[:, 0] * 0 + 3), *ones(4), rng=seeded())
    assert found.fit is not None
    assert found.fit.min() == 1
    assert found.values.abs().max() < 1e-9
