import torch
from games import random_game

from fivefold.explanation.kernel_likelihood import ENOUGH, Kernel, log_likelihood, slope
from fivefold.explanation.odd_kernel.design import designed
from fivefold.explanation.odd_kernel.kernel import ODD, gram
from seeding import seeded


def some_games(count, n=8, pairs=40):
    """The odd part of some games on the same sets; the last three features never matter."""
    keep = designed(n, pairs, seeded(1))
    games = [random_game(n - 3, seed) for seed in range(count)]
    targets = [(g(keep[:, :-3]) - g(~keep[:, :-3])) / 2 for g in games]
    return keep.double() * 2 - 1, torch.stack(targets)


def test_the_slope_is_that_of_the_likelihood_by_differences():
    signs, targets = some_games(3, pairs=12)
    one = torch.ones(1, 8).double()
    matrix = gram(Kernel(0.2 * one, one, one[:, 0]), signs)
    found = slope(matrix, targets.T[None])[0]
    step = torch.randn(matrix.shape[1:], generator=seeded(2)).double() * 1e-6
    step = step + step.T
    rise = log_likelihood(matrix[0] + step, targets) - log_likelihood(matrix[0] - step, targets)
    assert torch.allclose(-rise / 2, (found * step).sum(), rtol=1e-4)


def test_a_kernel_for_all_games_sees_which_features_never_matter():
    signs, targets = some_games(6)
    found, start = ODD.learnt(signs, targets.T[None], 50), ODD.pooled(signs, targets)
    assert found.theta.shape == (1, 8)
    likely = [log_likelihood(gram(k, signs)[0], targets) for k in (found, start)]
    assert likely[0] > likely[1]
    assert found.theta[0, -3:].max() < 0.5 * found.theta[0, :-3].min()


def test_a_kernel_for_each_game_is_what_it_is_alone():
    signs, targets = some_games(2)
    same = torch.stack([targets[0], targets[0]])
    each = ODD.learnt(signs, same[:, :, None], 10)
    alone = ODD.learnt(signs, targets[:1, :, None], 10)
    assert torch.allclose(each.theta[0], each.theta[1])
    assert torch.allclose(each.theta[:1], alone.theta, atol=1e-6)


def test_of_very_many_games_some_are_enough():
    signs, targets = some_games(4)
    many = targets.repeat_interleave(2 * ENOUGH, 0)
    found, few = ODD.learnt(signs, many.T[None], 10), ODD.learnt(signs, targets.T[None], 10)
    assert torch.allclose(found.theta, few.theta, rtol=0.3)
