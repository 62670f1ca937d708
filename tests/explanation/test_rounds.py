from functools import partial

import pytest
import torch
from games import of_columns, of_game, ones, random_game
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.progress import heard_by
from fivefold.explanation import ExactShapley, LeverageSHAP, OddKernelSHAP
from fivefold.explanation.coalitions import leverage_pairs, nested_pairs
from seeding import seeded

BOTH = pytest.mark.parametrize("kind", [LeverageSHAP, partial(OddKernelSHAP, steps=10)])


def mixed():
    """Rows of which the first two are easy, and a model that is hard only where the last column is."""
    n = 10
    hard = random_game(n, 4)

    def answer(x):
        return x.sum(1) + x[:, -1].abs() * hard(x)

    x = torch.randn(4, n, generator=seeded(1))
    x[:2, -1] = 0
    return of_columns(n, answer), x, torch.zeros(1, n)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(1, 12), count=st.integers(0, 200), rounds=st.integers(1, 5))
def test_samples_are_nested_and_each_is_weighed_as_if_it_were_the_only_one(n, count, rounds):
    whole = leverage_pairs(n, count, seeded(1))
    found = nested_pairs(whole, rounds)
    assert len(found) <= rounds
    for part in found:
        assert torch.equal(part.keep, found[-1].keep[: len(part.keep)])
        alone = leverage_pairs(n, len(part.keep), seeded(2))
        size, other = part.keep.sum(1), alone.keep.sum(1)
        for s in size.unique():
            drawn, among = part.chance[size == s], (size == s).sum()
            assert torch.allclose(drawn, drawn[0])
            if (other == s).sum() == among:  # rounding may give a size one set more or less
                assert torch.allclose(drawn[0], alone.chance[other == s][0])
                assert torch.allclose(part.weight[size == s][0], alone.weight[other == s][0])
    assert {tuple(r) for r in found[-1].keep.tolist()} == {tuple(r) for r in whole.keep.tolist()}


@BOTH
def test_rows_that_are_sure_play_no_more(kind):
    model, x, behind = mixed()
    once = kind(budget=500, tolerance=0.02)(model, x, behind, rng=seeded(2))
    found = kind(budget=500, tolerance=0.02, rounds=4)(model, x, behind, rng=seeded(2))
    assert found.is_converged[:2].all()
    assert found.n_evaluations < 0.8 * once.n_evaluations
    assert torch.allclose(found.score, once.score)
    assert torch.allclose(found.values[:2], once.values[:2], atol=1e-3)
    assert found.gap.abs().max() < 1e-8
    alone = kind(budget=500, tolerance=0.02, rounds=4)(model, x[2:], behind, rng=seeded(2))
    atol = (
        1e-9 if kind is LeverageSHAP else 0.05
    )  # kernels are learnt from all rows that still play
    assert torch.allclose(alone.values, found.values[2:], atol=atol)


@BOTH
def test_nothing_is_asked_twice_and_the_last_round_is_the_whole_budget(kind):
    game, seen = random_game(9, 2), []

    def answer(x):
        seen.append(x.clone())
        return game(x)

    found = kind(budget=300, rounds=5, tolerance=1e-9)(of_game(9, answer), *ones(9), rng=seeded(3))
    asked = torch.cat(seen)
    assert len(asked) == len(torch.unique(asked, dim=0)) == found.n_evaluations == 300
    whole = kind(budget=300, tolerance=1e-9)(of_game(9, game), *ones(9), rng=seeded(3))
    assert torch.allclose(found.values, whole.values, atol=1e-8)
    assert not found.is_converged.any()


@BOTH
def test_stopping_early_leaves_error_bars_that_cover(kind):
    hits = []
    for seed in range(24):
        game = random_game(8, seed)
        truth = ExactShapley()(of_game(8, game), *ones(8), rng=seeded()).values
        explainer = kind(budget=200, rounds=3, tolerance=0.1)
        found = explainer(of_game(8, game), *ones(8), rng=seeded(seed))
        assert found.error is not None
        hits.append((found.values - truth).abs() <= 1.96 * found.error + 1e-9)
    assert torch.cat(hits).double().mean() >= 0.88


def test_rounds_may_draw_few_background_rows():
    rng = seeded(3)
    w = torch.randn(8, generator=rng).double()
    x, background = torch.randn(5, 8, generator=rng), torch.randn(40, 8, generator=rng)
    explainer = LeverageSHAP(budget=200, draws=1, rounds=3, tolerance=1e-12)
    found = explainer(of_columns(8, lambda v: v @ w), x, background, rng=rng)
    assert torch.allclose(found.values[..., 0], w * (x - background.mean(0)), atol=1e-5)


def test_each_round_tells_progress():
    class Heard:
        def __init__(self):
            self.count = 0

        def start(self, label, total):
            return 0

        def advance(self, handle):
            self.count += 1

        def scalar(self, label, value, index):
            pass

        def stop(self, handle):
            pass

    heard, explainer = Heard(), LeverageSHAP(budget=200, rounds=3, tolerance=1e-12)
    with heard_by(heard):
        explainer(of_game(9, random_game(9, 1)), *ones(9), rng=seeded())
    assert heard.count == 3
