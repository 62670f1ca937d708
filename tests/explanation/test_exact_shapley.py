import pytest
import torch
from games import by_definition, of_columns, of_game, ones, random_game
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.errors import NotMeasurable
from fivefold.core.task import Task
from fivefold.explanation import ExactShapley
from fivefold.perturb import Features
from seeding import seeded


def values_of(n, value):
    found = ExactShapley()(of_game(n, value), *ones(n), rng=seeded())
    return found.values[0, :, 0]


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(1, 5), seed=st.integers(0, 10_000))
def test_agrees_with_the_mean_over_all_orders(n, seed):
    game = random_game(n, seed)
    assert torch.allclose(values_of(n, game), by_definition(game, n), atol=1e-9)


def test_unanimity_game_shares_among_its_members():
    found = values_of(5, lambda x: x[:, 0] * x[:, 2] * x[:, 3])
    assert torch.allclose(found, torch.tensor([1, 0, 1, 1, 0]).double() / 3)


def test_glove_game():
    """Player 0 holds the only left glove; 1 and 2 hold right ones."""
    found = values_of(3, lambda x: x[:, 0] * torch.maximum(x[:, 1], x[:, 2]))
    assert torch.allclose(found, torch.tensor([4, 1, 1]).double() / 6)


def test_airport_game_shares_each_stretch_among_those_who_need_it():
    cost = torch.tensor([1.0, 3.0, 6.0, 10.0]).double()
    found = values_of(4, lambda x: (x * cost).amax(1))
    wanted, paid = torch.zeros(4).double(), 0.0
    for i, c in enumerate(cost.tolist()):
        wanted[i:] += (c - paid) / (4 - i)
        paid = c
    assert torch.allclose(found, wanted)


def test_linear_model_has_its_closed_form():
    w = torch.tensor([2.0, -1.0, 0.5, 0.0]).double()
    x, background = torch.randn(7, 4, generator=seeded(1)), torch.randn(9, 4, generator=seeded(2))
    found = ExactShapley()(of_columns(4, lambda x: x @ w + 3), x, background, rng=seeded())
    assert torch.allclose(found.values[..., 0], w * (x - background.mean(0)), atol=1e-6)
    assert found.gap.abs().max() < 1e-9
    assert found.error is None
    assert found.is_converged.all()


def test_values_of_two_classes_are_opposite():
    net = torch.randn(3, 2, generator=seeded(3)).double()
    model = of_columns(3, lambda x: torch.tanh(x @ net), Task(classes=("no", "yes")))
    x = torch.randn(5, 3, generator=seeded(4))
    found = ExactShapley()(model, x, x[:2], rng=seeded())
    assert torch.allclose(found.values.sum(-1), torch.zeros(5, 3).double(), atol=1e-9)
    assert torch.allclose(found.score[:, 1], torch.logit(model.predict(x).softmax(-1)[:, 1]))


def test_columns_that_count_together_are_one_player():
    game = random_game(5, 1)
    features = Features(together=(("c1", "c3"),))
    found = ExactShapley(features=features)(of_game(5, game), *ones(5), rng=seeded())
    assert found.names == ("c0", "c1 + c3", "c2", "c4")

    def joined(x):
        return game(x[:, [0, 1, 2, 1, 3]])

    assert torch.allclose(found.values[0, :, 0], by_definition(joined, 4), atol=1e-9)


def test_refuses_what_would_not_end():
    with pytest.raises(NotMeasurable, match="17 features"):
        ExactShapley()(of_game(17, lambda x: x.sum(1)), *ones(17), rng=seeded())
