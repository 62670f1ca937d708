"""RMIA by one sort against the matrix of all comparisons, and its parts against the paper's formulas."""

from math import log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.codec import decode
from fivefold.core.errors import BadRecipe
from fivefold.core.task import Task
from fivefold.privacy import RMIA
from fivefold.privacy.attacks import ShadowView, View
from fivefold.privacy.attacks.rmia import best_slope, log_average, share_beaten
from fivefold.privacy.attacks.signal import log_likelihood
from fivefold.privacy.shadow import halves
from seeding import seeded


class Named:
    """All that the attack reads of a model."""

    task = Task(classes=("no", "yes"))


def matrix(own, population, margin):
    return (own[:, None] >= (population + margin)[None]).double().mean(1)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    n=st.integers(1, 60),
    z=st.integers(1, 60),
    gamma=st.floats(1, 3),
    ties=st.booleans(),
    seed=st.integers(0, 999),
)
def test_one_sort_equals_the_matrix_exactly(n, z, gamma, ties, seed):
    own = seeded(seed)
    a = torch.randn(n, generator=own, dtype=torch.float64)
    b = torch.randn(z, generator=own, dtype=torch.float64)
    if ties:
        a, b = a.round(decimals=1), b.round(decimals=1)
    assert torch.equal(share_beaten(a, b, log(gamma)), matrix(a, b, log(gamma)))


@pytest.mark.parametrize("online", [True, False])
def test_equals_the_paper_s_ratios_of_probabilities(online):
    own, n = seeded(3), 40
    inside = halves(n, 6, own)
    sure, shadow = torch.randn(n, generator=own).double(), torch.randn(6, n, generator=own).double()
    view = View(Named(), None, 15, sure, ShadowView(shadow, inside))  # type: ignore[arg-type]
    found = torch.cat(RMIA(online=online, slope=0.3, gamma=1.5).scores(view, own))
    p, q = sure.sigmoid(), shadow.sigmoid()
    outside = torch.stack([q[:, i][~inside[:, i]].mean() for i in range(n)])
    average = q.mean(0) if online else 0.5 * (1.3 * outside + 0.7)
    gain = p / average
    wanted = (gain[:, None] / gain[None] >= 1.5).double().mean(1)
    torch.testing.assert_close(found, wanted)


def test_a_slope_of_one_trusts_the_outside_alone():
    outside = torch.tensor([-3.0, -0.1], dtype=torch.float64)
    torch.testing.assert_close(log_average(outside, 1.0), outside)


def test_the_slope_is_one_of_the_grid_and_helps():
    own = seeded(1)
    inside = halves(300, 6, own)
    hardness = torch.randn(300, generator=own).double()
    sure = hardness + 1.5 * inside + 0.3 * torch.randn(6, 300, generator=own)
    theirs = log_likelihood(sure, sure[~inside], Named.task)
    assert 0 <= best_slope(theirs, inside) <= 1


def test_errors_of_numbers_are_likelihoods_of_a_normal():
    sure = torch.tensor([0.0, -4.0])
    found = log_likelihood(sure, torch.tensor([-2.0, -2.0]), Task(kind="regression"))
    assert found.tolist() == [0.0, -1.0]


@pytest.mark.parametrize("changed", [{"gamma": 0.5}, {"slope": 2.0}])
def test_nonsense_in_a_recipe_is_refused(changed):

    with pytest.raises(BadRecipe):
        decode({"use": "privacy.RMIA", **changed}, RMIA)
