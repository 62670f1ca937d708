import pytest
import torch
from games import by_definition, of_columns, of_game, ones, random_game
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.task import Task
from fivefold.explanation import ExactShapley, LeverageSHAP
from fivefold.explanation.coalitions import leverage_pairs
from seeding import seeded


def solved(n, value, budget, seed=0):
    return LeverageSHAP(budget=budget)(of_game(n, value), *ones(n), rng=seeded(seed))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(1, 5), seed=st.integers(0, 10_000))
def test_a_budget_of_all_sets_is_exact(n, seed):
    game = random_game(n, seed)
    found = solved(n, game, max(2**n, 2))
    assert torch.allclose(found.values[0, :, 0], by_definition(game, n), atol=1e-8)
    assert found.error is not None
    assert found.error.abs().max() == 0
    assert found.is_converged.all()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    n=st.integers(2, 12),
    rows=st.integers(1, 4),
    behind=st.integers(1, 5),
    draws=st.integers(0, 3),
    seed=st.integers(0, 1000),
)
def test_a_linear_model_has_its_closed_form_at_any_budget(n, rows, behind, draws, seed):
    rng = seeded(seed)
    w = torch.randn(n, generator=rng).double()
    x, background = torch.randn(rows, n, generator=rng), torch.randn(behind, n, generator=rng)
    explainer = LeverageSHAP(budget=8 * n + 2, draws=draws)
    found = explainer(of_columns(n, lambda v: v @ w - 1), x, background, rng=rng)
    if draws == 0 or draws >= behind:
        assert torch.allclose(found.values[..., 0], w * (x - background.mean(0)), atol=1e-5)
    assert found.gap.abs().max() < 1e-6


def test_the_luck_of_the_draws_is_taken_out_of_a_linear_model():
    rng = seeded(3)
    w = torch.randn(8, generator=rng).double()
    x, background = torch.randn(5, 8, generator=rng), torch.randn(40, 8, generator=rng)
    model = of_columns(8, lambda v: v @ w)
    found = LeverageSHAP(budget=200, draws=1)(model, x, background, rng=rng)
    assert torch.allclose(found.values[..., 0], w * (x - background.mean(0)), atol=1e-5)


def test_few_draws_find_what_the_whole_background_finds():
    rng = seeded(4)
    inner, outer = (
        torch.randn(8, 12, generator=rng).double(),
        torch.randn(12, generator=rng).double(),
    )
    model = of_columns(8, lambda v: torch.tanh(v @ inner / 3) @ outer)
    x, background = torch.randn(6, 8, generator=rng), torch.randn(30, 8, generator=rng)
    truth = ExactShapley()(model, x, background, rng=rng).values
    found = LeverageSHAP(budget=4000, draws=1)(model, x, background, rng=rng)
    assert found.error is not None
    # every set is listed several times over, but its background rows are drawn: error bars must say so
    assert ((found.values - truth).abs() <= 4 * found.error + 1e-6).all()
    assert (found.values - truth).norm() < 0.2 * truth.norm()


def test_products_of_two_are_exact_with_pairs():
    """PolySHAP (2026): pairs of a set and its complement solve games of degree two exactly."""
    found = solved(9, lambda x: x[:, 0] * x[:, 1] + 3 * x[:, 2] * x[:, 5] - x[:, 8], 60)
    wanted = torch.tensor([0.5, 0.5, 1.5, 0, 0, 1.5, 0, 0, -1]).double()
    assert torch.allclose(found.values[0, :, 0], wanted, atol=1e-7)


def test_an_unused_feature_gets_nothing_and_twins_get_the_same():
    def game(x):
        return torch.relu(x[:, 0] + x[:, 1] - 0.5) * (1 + x[:, 2]) + x[:, 3]

    found = solved(5, game, 32)
    values = found.values[0, :, 0]
    assert abs(values[4]) < 1e-9
    assert torch.isclose(values[0], values[1])


def test_values_are_linear_in_the_model():
    one, other = random_game(10, 1), random_game(10, 2)
    both = solved(10, lambda x: 2 * one(x) - other(x), 80).values
    assert torch.allclose(both, 2 * solved(10, one, 80).values - solved(10, other, 80).values)


def test_moving_the_columns_moves_the_values():
    order = torch.tensor([3, 0, 2, 1])
    game = random_game(4, 5)
    plain = solved(4, game, 16).values[0, :, 0]
    moved = solved(4, lambda x: game(x[:, order.argsort()]), 16).values[0, :, 0]
    assert torch.allclose(moved, plain[order])


def test_a_constant_model_owes_nothing_to_anybody():
    found = solved(12, lambda x: x[:, 0] * 0 + 7, 100)
    assert found.values.abs().max() < 1e-12
    assert found.is_converged.all()


def test_all_rows_at_once_are_as_one_by_one_and_seeds_repeat():
    model = of_columns(9, lambda x: torch.sin(x).prod(1) + x[:, :3].sum(1) ** 2)
    x, background = torch.randn(4, 9, generator=seeded(1)), torch.randn(6, 9, generator=seeded(2))
    explainer = LeverageSHAP(budget=64, draws=2)
    together = explainer(model, x, background, rng=seeded(9))
    for i in range(4):
        alone = explainer(model, x[i : i + 1], background, rng=seeded(9))
        assert torch.allclose(alone.values[0], together.values[i], atol=1e-9)
    again = explainer(model, x, background, rng=seeded(9))
    assert torch.equal(again.values, together.values)
    other = explainer(model, x, background, rng=seeded(10))
    assert not torch.equal(other.values, together.values)


def test_values_of_probabilities_of_all_classes_sum_to_nothing():
    net = torch.randn(6, 3, generator=seeded(3)).double()
    model = of_columns(6, lambda x: (x @ net).softmax(-1))
    x = torch.randn(3, 6, generator=seeded(4))
    found = LeverageSHAP(budget=40)(model, x, x, rng=seeded())
    assert found.values.shape == (3, 6, 3)
    assert found.values.sum(-1).abs().max() < 1e-9


def test_too_few_sets_are_flagged_not_hidden():
    found = solved(20, random_game(20, 1), 20)
    assert found.error is not None
    assert found.error.isinf().all()
    assert not found.is_converged.any()
    assert found.gap.abs().max() < 1e-9


def test_just_enough_sets_to_solve_are_too_few_to_judge():
    found = solved(9, random_game(9, 1), 2 * 8 + 2)
    assert not found.is_converged.any()


@pytest.mark.parametrize(("n", "budget"), [(7, 30), (8, 60), (9, 120)])
def test_error_bars_cover_the_truth(n, budget):
    hits = []
    for seed in range(100):
        game = random_game(n, seed)
        truth = ExactShapley()(of_game(n, game), *ones(n), rng=seeded()).values
        found = solved(n, game, budget, seed)
        assert found.error is not None
        hits.append((found.values - truth).abs() <= 1.96 * found.error)
    assert 0.88 <= torch.cat(hits).double().mean() <= 0.99


def test_error_bars_cover_the_truth_when_background_rows_are_drawn():
    hits = []
    for seed in range(80):
        rng = seeded(seed)
        inner, outer = torch.randn(7, 8, generator=rng), torch.randn(8, generator=rng).double()
        model = of_columns(7, lambda v, i=inner, o=outer: torch.relu(v @ i.double()) @ o)
        x, background = torch.randn(1, 7, generator=rng), torch.randn(16, 7, generator=rng)
        truth = ExactShapley()(model, x, background, rng=rng).values
        found = LeverageSHAP(budget=80, draws=1)(model, x, background, rng=rng)
        assert found.error is not None
        hits.append((found.values - truth).abs() <= 1.96 * found.error)
    assert 0.88 <= torch.cat(hits).double().mean() <= 0.99


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(1, 30), budget=st.integers(0, 80), seed=st.integers(0, 100))
def test_pairs_are_distinct_and_as_many_as_there_can_be(n, budget, seed):
    pairs = leverage_pairs(n, budget, seeded(seed))
    both = torch.cat([pairs.keep, ~pairs.keep])
    assert len(torch.unique(both, dim=0)) == len(both)
    assert len(pairs.keep) == min(budget, 2 ** (n - 1) - 1)
    assert ((both.sum(1) > 0) & (both.sum(1) < n)).all()
    assert ((pairs.chance > 0) & (pairs.chance <= 1)).all()


def test_every_feature_is_drawn_alike_and_every_size_too():
    size = torch.zeros(13)
    member = torch.zeros(12)
    for seed in range(60):
        keep = leverage_pairs(12, 60, seeded(seed)).keep
        both = torch.cat([keep, ~keep])
        size += both.sum(1).bincount(minlength=13)
        member += both.float().sum(0)
    share = size[2:11] / size.sum()
    assert (share - 1 / 11).abs().max() < 0.01
    assert (member / member.mean() - 1).abs().max() < 1e-6


def test_many_features_do_not_overflow():
    pairs = leverage_pairs(2000, 50, seeded())
    assert pairs.weight.isfinite().all()
    assert (pairs.weight > 0).all()


def test_classes_are_explained_by_their_log_odds():
    model = of_columns(2, lambda x: torch.stack([x[:, 0], x[:, 1]], 1), Task(classes=("a", "b")))
    found = LeverageSHAP()(model, torch.tensor([[1.0, 3.0]]), torch.zeros(1, 2), rng=seeded())
    assert torch.allclose(found.values[0, :, 1], torch.tensor([-1.0, 3.0]).double())


def test_a_value_that_hangs_on_one_pair_has_no_error_bar():
    """The residual of a pair that alone decides a value is 0 however wrong it is."""
    truth = ExactShapley()(of_game(10, random_game(10, 0)), *ones(10), rng=seeded()).values
    seen = 0
    for seed in range(40):
        found = solved(10, random_game(10, 0), 26, seed)
        assert found.error is not None
        seen += bool(found.error.isinf().any())
        assert ((found.values - truth).abs() <= 50 * found.error + 1e-9).all()
    assert 0 < seen < 40
