"""Splits against obvious Python, and what each of them promises."""

from datetime import UTC, date, datetime, timedelta

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.errors import BadInput
from fivefold.data import ByTime, Grouped, Random, Split, Stratified
from fivefold.data.split import Examples, Rows
from seeding import seeded

few = settings(max_examples=20, deadline=None, derandomize=True)
shares = st.tuples(st.floats(0.05, 0.4), st.floats(0.05, 0.4))


def is_a_partition(rows: Rows, n: int) -> bool:
    ascending = all(part.tolist() == sorted(part.tolist()) for part in rows)
    return ascending and sorted(torch.cat(list(rows)).tolist()) == list(range(n))


def sizes(n: int, valid: float, test: float) -> tuple[int, int, int]:
    """Round each share, but leave at least one example in each part."""
    n_test = min(max(round(n * test), 1), n - 2)
    n_valid = min(max(round(n * valid), 1), n - n_test - 1)
    return n - n_test - n_valid, n_valid, n_test


def lengths(rows: Rows) -> tuple[int, ...]:
    return tuple(len(part) for part in rows)


@few
@given(st.integers(3, 200), shares, st.integers(0, 5))
def test_random_is_a_partition_of_the_right_sizes(n, share, seed):
    split = Random(valid=share[0], test=share[1])
    rows = split.rows(Examples(n), seeded(seed))
    assert is_a_partition(rows, n)
    assert lengths(rows) == sizes(n, *share)
    shuffled = torch.randperm(n, generator=seeded(seed)).tolist()
    assert set(rows.test.tolist()) == set(shuffled[: len(rows.test)])


@few
@given(st.lists(st.integers(0, 2), min_size=20, max_size=120), shares)
def test_stratified_splits_each_class_by_itself(y, share):
    y = [0, 0, 0, 1, 1, 1, 2, 2, 2, *y]
    examples = Examples(len(y), torch.tensor(y), ("a", "b", "c"))
    rows = Stratified(valid=share[0], test=share[1]).rows(examples, seeded())
    assert is_a_partition(rows, len(y))
    for label in range(3):
        counts = tuple(sum(y[i] == label for i in part.tolist()) for part in rows)
        assert counts == sizes(y.count(label), *share)


@few
@given(st.lists(st.sampled_from("abcdefgh"), min_size=10, max_size=150), shares)
def test_a_group_never_straddles_and_sizes_are_near(groups, share):
    groups = [*groups, "x", "y", "z"]
    n = len(groups)
    rows = Grouped(column="g", valid=share[0], test=share[1]).rows(
        Examples(n, key=tuple(groups)), seeded()
    )
    assert is_a_partition(rows, n)
    parts = [{groups[i] for i in part.tolist()} for part in rows]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert all(parts)
    largest = max(groups.count(g) for g in groups)
    assert abs(len(rows.test) - share[1] * n) <= largest


@few
@given(st.lists(st.integers(0, 40), min_size=40, max_size=120), shares)
def test_by_time_is_what_sorting_gives(times, share):
    n = len(times)
    ordered = sorted(times)
    _, n_valid, n_test = sizes(n, *share)
    first_test, first_valid = ordered[n - n_test], ordered[n - n_test - n_valid]
    expected = (
        [i for i, t in enumerate(times) if t < min(first_valid, first_test)],
        [i for i, t in enumerate(times) if first_valid <= t < first_test],
        [i for i, t in enumerate(times) if t >= first_test],
    )
    split = ByTime(column="t", valid=share[0], test=share[1])
    if not all(expected):
        with pytest.raises(BadInput, match="same time"):
            split.rows(Examples(n, key=tuple(times)), seeded())
        return
    rows = split.rows(Examples(n, key=tuple(times)), seeded())
    assert [part.tolist() for part in rows] == list(expected)


def test_times_of_every_kind_give_the_same_order():
    start = datetime(2024, 2, 20, tzinfo=UTC)
    days = [start + timedelta(days=(7 * i) % 30) for i in range(30)]
    kinds = [
        days,
        [d.replace(tzinfo=None) for d in days],
        [d.date() for d in days],
        [d.isoformat() for d in days],
        [f" {d.date()} " for d in days],
        [str((d - start).days) for d in days],
        [(d - start).days * 0.5 for d in days],
    ]
    found = [ByTime(column="t").rows(Examples(30, key=tuple(k)), seeded()) for k in kinds]
    assert all([p.tolist() for p in f] == [p.tolist() for p in found[0]] for f in found)
    assert date(2024, 2, 20) == days[0].date()


@pytest.mark.parametrize("bad", [float("nan"), "nan", "inf", "soon", object()])
def test_what_is_no_time_is_refused(bad):
    with pytest.raises(BadInput):
        ByTime(column="t").rows(Examples(4, key=(1, 2, bad, 3)), seeded())


@pytest.mark.parametrize("split", [Random(), Stratified(), Grouped(column="k"), ByTime(column="k")])
def test_same_seed_same_rows(split: Split):
    examples = Examples(60, torch.arange(60) % 2, ("a", "b"), tuple(range(60)))
    a, b = (split.rows(examples, seeded(3)) for _ in range(2))
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
    assert isinstance(split, Split)


@pytest.mark.parametrize("split", [Random(), Stratified(), Grouped(column="k")])
def test_another_seed_other_rows(split: Split):
    examples = Examples(60, torch.arange(60) % 2, ("a", "b"), tuple(range(60)))
    a, b = split.rows(examples, seeded(1)), split.rows(examples, seeded(2))
    assert a.test.tolist() != b.test.tolist()
