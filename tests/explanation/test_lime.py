import torch
from games import of_columns, of_game, ones, random_game
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.explanation import LIME
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


def test_agrees_with_least_squares_of_the_stacked_problem():
    game, budget = random_game(6, 1), 200
    found = LIME(budget=budget, penalty=0.01)(of_game(6, game), *ones(6), rng=seeded(5))
    keep = torch.rand(budget, 6, generator=seeded(5)) < 0.5
    keep[0] = True
    root = torch.exp(-(~keep).double().mean(1) / 0.75**2).sqrt()[:, None]
    scores = game(keep.float())[:, None]
    pull = torch.eye(7).double()[1:] * (0.01 * (root**2).sum()).sqrt()
    design = torch.cat([torch.ones(budget, 1), keep], 1).double()
    stacked = torch.cat([root * design, pull]), torch.cat([root * scores, torch.zeros(6, 1)])
    twin = torch.linalg.lstsq(*stacked).solution[:, 0]
    assert torch.allclose(found.values[0, :, 0], twin[1:], atol=1e-8)
    residual = root * (scores - design @ twin[:, None])
    mean = (root**2 * scores).sum() / (root**2).sum()
    wanted = 1 - residual.square().sum() / (root * (scores - mean)).square().sum()
    assert found.fit is not None
    assert torch.isclose(found.fit[0, 0], wanted)


def test_what_no_line_fits_is_not_called_stable():
    found = LIME()(of_game(6, lambda x: x.sum(1) % 2), *ones(6), rng=seeded())
    assert found.fit is not None
    assert found.fit.max() < 0.5
    assert not found.is_converged.any()


def test_more_sets_than_needed_make_it_stable_and_too_few_do_not():
    game = random_game(6, 2)
    assert LIME(budget=2000)(of_game(6, game), *ones(6), rng=seeded()).is_converged.all()
    assert not LIME(budget=7)(of_game(6, game), *ones(6), rng=seeded()).is_converged.any()


def test_intervals_cover_the_line_that_endless_sampling_finds():
    hits = []
    for seed in range(50):
        model = of_game(5, random_game(5, seed))
        truth = LIME(budget=8_000)(model, *ones(5), rng=seeded(999))
        found = LIME(budget=60)(model, *ones(5), rng=seeded(seed))
        assert found.error is not None
        hits.append((found.values - truth.values).abs() <= 1.96 * found.error)
    assert 0.88 <= torch.cat(hits).double().mean() <= 0.99


def test_a_constant_is_fitted_by_itself():
    found = LIME()(of_game(4, lambda x: x[:, 0] * 0 + 3), *ones(4), rng=seeded())
    assert found.fit is not None
    assert found.fit.min() == 1
    assert found.values.abs().max() < 1e-9
