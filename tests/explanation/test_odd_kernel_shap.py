import pytest
import torch
from games import by_definition, of_columns, of_game, ones, random_game
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.explanation import ExactShapley, LeverageSHAP, OddKernelSHAP
from fivefold.explanation.coalitions import every_set
from fivefold.explanation.exact import shapley_weights
from fivefold.explanation.kernel_likelihood import Kernel
from fivefold.explanation.odd_kernel.kernel import gram, prior_variance, section_values
from seeding import seeded

KINDS = pytest.mark.parametrize("steps", [0, 10])


def solved(n, value, budget, seed=0, **settings_):
    explainer = OddKernelSHAP(budget=budget, **settings_)
    return explainer(of_game(n, value), *ones(n), rng=seeded(seed))


def some_kernel(games, n, seed):
    rng = seeded(seed)
    theta, line = torch.rand(2, games, n, generator=rng, dtype=torch.float64)
    return Kernel(theta + 0.01, line + 0.1, torch.rand(games, generator=rng).double() + 0.1)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(1, 5), seed=st.integers(0, 1000))
def test_sections_and_prior_are_what_enumeration_says(n, seed):
    kernel = some_kernel(2, n, seed)
    keep = every_set(n)
    signs = keep.double() * 2 - 1
    theta, line, alpha = (part[0] for part in kernel)
    matrix = torch.zeros(2**n, 2**n, dtype=torch.float64)
    for i, one in enumerate(signs):
        for j, other in enumerate(signs):
            curved = torch.sinh((theta * one * other).sum()) / torch.sinh(theta.sum())
            matrix[i, j] = alpha * curved + (line * one * other).sum() / n
    assert torch.allclose(gram(kernel, signs)[0], matrix, atol=1e-6)
    weights = shapley_weights(keep)
    assert torch.allclose(section_values(kernel, signs)[0], matrix @ weights.T, atol=1e-10)
    wanted = (weights @ matrix @ weights.T).diagonal()
    assert torch.allclose(prior_variance(kernel)[0], wanted, atol=1e-10)


def test_hundreds_of_features_neither_overflow_nor_vanish():
    n = 400
    wide = torch.full((1, n), 3.0).double()
    kernel = Kernel(wide, wide, torch.ones(1).double())
    signs = torch.cat([torch.ones(1, n), torch.rand(5, n, generator=seeded()).round() * 2 - 1])
    sections = section_values(kernel, signs.double())
    assert sections.isfinite().all()
    # the values of a game add up to twice its odd part at the full set, which is its covariance with it
    matrix = gram(kernel, signs.double())
    assert torch.allclose(sections.sum(2)[0], 2 * matrix[0, 0], atol=1e-6)
    assert prior_variance(Kernel(wide[:, :60], wide[:, :60], kernel.alpha)).isfinite().all()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(1, 5), seed=st.integers(0, 10_000))
def test_a_budget_of_all_sets_is_exact(n, seed):
    game = random_game(n, seed)
    found = solved(n, game, 2**n + 1)
    assert torch.allclose(found.values[0, :, 0], by_definition(game, n), atol=1e-8)
    assert found.error is not None
    assert found.error.abs().max() == 0
    assert found.is_converged.all()


@KINDS
def test_a_linear_model_and_products_of_two_are_solved(steps):
    linear = solved(9, lambda x: x @ torch.arange(9).double(), 40, steps=steps)
    assert torch.allclose(linear.values[0, :, 0], torch.arange(9).double(), atol=1e-4)
    found = solved(
        9, lambda x: x[:, 0] * x[:, 1] + 3 * x[:, 2] * x[:, 5] - x[:, 8], 60, steps=steps
    )
    wanted = torch.tensor([0.5, 0.5, 1.5, 0, 0, 1.5, 0, 0, -1]).double()
    assert torch.allclose(found.values[0, :, 0], wanted, atol=1e-4)


@KINDS
def test_a_product_of_three_is_split_in_thirds(steps):
    found = solved(9, lambda x: x[:, 1] * x[:, 4] * x[:, 6] + x[:, 0], 160, steps=steps)
    wanted = torch.tensor([3, 1, 0, 0, 1, 0, 1, 0, 0]).double() / 3
    assert torch.allclose(found.values[0, :, 0], wanted, atol=0.03)


@KINDS
def test_fewer_answers_are_needed_than_by_regression(steps):
    ours, theirs = 0.0, 0.0
    for seed in range(12):
        game = random_game(10, 700 + seed)
        truth = ExactShapley()(of_game(10, game), *ones(10), rng=seeded()).values
        found = solved(10, game, 120, seed, steps=steps)
        other = LeverageSHAP(budget=120)(of_game(10, game), *ones(10), rng=seeded(seed))
        ours += float((found.values - truth).norm() / truth.norm())
        theirs += float((other.values - truth).norm() / truth.norm())
    assert ours < 0.95 * theirs


@KINDS
def test_error_bars_cover_the_truth(steps):
    hits = []
    for seed in range(24):
        game = random_game(8, seed)
        truth = ExactShapley()(of_game(8, game), *ones(8), rng=seeded()).values
        found = solved(8, game, 60, seed, steps=steps)
        assert found.error is not None
        hits.append((found.values - truth).abs() <= 1.96 * found.error)
    assert 0.86 <= torch.cat(hits).double().mean() <= 1


@KINDS
def test_all_rows_at_once_add_up_and_seeds_repeat(steps):
    net = torch.randn(8, 3, generator=seeded(3)).double()
    model = of_columns(8, lambda x: torch.tanh(x @ net))
    x, behind = torch.randn(4, 8, generator=seeded(1)), torch.randn(6, 8, generator=seeded(2))
    explainer = OddKernelSHAP(budget=60, steps=steps)
    state = torch.get_rng_state()
    found = explainer(model, x, behind, rng=seeded(5))
    assert torch.equal(torch.get_rng_state(), state)
    assert found.values.shape == (4, 8, 3)
    assert found.gap.abs().max() < 1e-10
    assert torch.equal(explainer(model, x, behind, rng=seeded(5)).values, found.values)
    assert not torch.equal(explainer(model, x, behind, rng=seeded(6)).values, found.values)


def test_no_more_rounds_are_played_than_it_takes():
    easy = solved(10, lambda x: x.sum(1), 500, rounds=4, steps=0)
    assert easy.is_converged.all()
    assert easy.n_evaluations < 200
    hard = solved(10, random_game(10, 1), 500, rounds=4, steps=0, tolerance=1e-6)
    assert not hard.is_converged.any()
    assert 500 <= hard.n_evaluations <= 510
    assert torch.allclose(
        hard.values, solved(10, random_game(10, 1), 500, steps=0, tolerance=1e-6).values
    )


def test_a_constant_model_owes_nothing_and_one_feature_owes_all():
    assert solved(12, lambda x: x[:, 0] * 0 + 7, 60).values.abs().max() < 1e-12
    assert solved(1, lambda x: 3 * x[:, 0], 2).values.item() == pytest.approx(3)


def test_no_sets_at_all_are_flagged():
    found = solved(9, random_game(9, 1), 2)
    assert not found.is_converged.any()
    assert found.gap.abs().max() < 1e-9


def test_refuses_what_makes_no_sense():
    model = of_game(3, lambda x: x.sum(1) / 0)
    with pytest.raises(NotMeasurable, match="not a finite number"):
        OddKernelSHAP()(model, *ones(3), rng=seeded())
    with pytest.raises(BadInput, match="shape"):
        OddKernelSHAP()(model, torch.ones(1, 3), torch.ones(0, 3), rng=seeded())


def test_refuses_a_budget_whose_matrix_is_too_large_before_it_asks():
    def asked(x):
        raise AssertionError("the model was asked")

    for n, rounds in ((30, 1), (30, 3), (16, 2)):
        with pytest.raises(NotMeasurable, match="too much"):
            solved(n, asked, 2**16, rounds=rounds)
    easy = solved(14, lambda x: x.sum(1), 2**14)  # every set: nothing is modelled
    assert easy.error is not None
    assert easy.error.abs().max() == 0
