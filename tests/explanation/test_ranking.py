import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.explanation.rank import top_overlap
from fivefold.explanation.ranking import Ranking, told_apart
from seeding import seeded


def connected(values, half):
    """Return which features are told apart from which: a chain of overlapping intervals joins two of them."""
    low, high = (values.abs() - half).clamp(min=0), values.abs() + half
    joined = (low[:, None] <= high) & (low <= high[:, None])
    for _ in range(len(values)):
        joined = (joined.double() @ joined.double()) > 0
    return joined


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(1, 12), width=st.floats(0.0, 0.5), seed=st.integers(0, 1000))
def test_groups_are_chains_of_overlapping_intervals(n, width, seed):
    values = torch.randn(n, generator=seeded(seed)).double()
    half = torch.rand(n, generator=seeded(seed + 1)).double() * width
    groups = told_apart(values, half)
    assert sorted(i for group in groups for i in group) == list(range(n))
    joined = connected(values, half)
    for group in groups:
        assert all(bool(joined[i, j]) for i in group for j in group)
        assert int(joined[group[0]].sum()) == len(group)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1000))
def test_the_first_groups_are_the_features_of_highest_rank(seed):
    values = torch.randn(8, generator=seeded(seed)).double()
    groups = told_apart(values, torch.full((8,), 0.1).double())
    first = 0
    for group in groups:
        first += len(group)
        inside = torch.zeros(8).double()
        inside[[i for g in groups for i in g][:first]] = 1
        assert top_overlap(values[None], inside[None], first)[0] == 1


def test_equal_values_have_no_order_even_if_they_are_exact():
    assert told_apart(torch.tensor([1.0, -1.0, 3.0]), None) == [[2], [0, 1]]
    assert told_apart(torch.zeros(2), None) == [[0, 1]]


def test_an_infinite_error_orders_nothing():
    assert told_apart(torch.tensor([5.0, 1.0]), torch.tensor([0.0, torch.inf])) == [[0, 1]]


def test_says_what_is_not_known():
    found = Ranking(groups=(("a",), ("b", "c")), is_converged=False, fit=0.2)
    assert str(found).splitlines() == [
        "Not converged: the error is large, or the line (R2 0.2) does not describe the model here.",
        "1. a",
        "2 to 3, not told apart: b, c",
    ]
    assert "无法区分" in found.words("zh")
    assert "a" in found._repr_html_()
    assert not Ranking(groups=(("a", "b"),), is_converged=True).is_told
