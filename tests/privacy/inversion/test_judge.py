"""Guesses are compared with rows whatever their order, in units that say something."""

from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.schema import Column, Schema
from fivefold.privacy.inversion.judge import Judge, given_away, judge_of
from seeding import seeded

NUMBERS = Schema(columns=(Column(name="a"), Column(name="b")), shape=(2,))
IMAGES = Schema(shape=(1, 2, 2))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 99))
def test_no_other_order_fits_better(seed):
    own = seeded(seed)
    guess, rows = (torch.randn(1, 4, 2, generator=own) for _ in range(2))
    found = Judge(NUMBERS, torch.ones(2)).scores(guess, rows)
    best = min(
        float((guess[0, list(order)] - rows[0]).square().mean(1).sum())
        for order in permutations(range(4))
    )
    assert float(found.square().sum()) == pytest.approx(best, rel=1e-5)


def test_error_of_the_mean_is_one_standard_deviation():
    rows = torch.randn(4000, 2, generator=seeded()) * torch.tensor([1.0, 100.0])
    judge = judge_of(NUMBERS, rows)
    score = judge.scores(rows.mean(0).expand(100, 1, 2), rows[:100, None])
    assert float(score.square().mean()) == pytest.approx(1.0, abs=0.3)


def test_psnr():
    judge = judge_of(IMAGES, torch.zeros(1, 1, 2, 2))
    rows = torch.full((1, 1, 1, 2, 2), 0.5)
    assert judge.scores(rows + 0.1, rows).item() == pytest.approx(20.0, abs=1e-4)
    assert judge.scores(rows, rows).item() == pytest.approx(100.0)


def test_categories_are_right_or_wrong_and_gaps_are_values():
    columns = (Column(name="k", kind="category", categories=("a", "b", "c")), Column(name="n"))
    judge = Judge(Schema(columns=columns, shape=(2,)), torch.ones(2))
    rows = torch.tensor([[[0.0, torch.nan]]])
    for guess, wanted in (((2.0, torch.nan), 0.5), ((0.0, 7.0), 0.5), ((0.0, torch.nan), 0.0)):
        assert judge.scores(torch.tensor([[guess]]), rows).item() == pytest.approx(wanted**0.5)


def test_what_counts_as_given_away():
    score = torch.tensor([[0.05, 0.5, 25.0]])
    assert given_away(score, "tables").tolist() == [[True, False, False]]
    assert given_away(score, "images").tolist() == [[False, False, True]]
    assert given_away(torch.tensor([[0.95, 0.5]]), "tokens").tolist() == [[True, False]]
