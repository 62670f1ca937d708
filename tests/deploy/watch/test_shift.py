"""Distances, tests and corrections against slow twins written from the papers."""

from math import log2, sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from fivefold.deploy.watch.bins import LEAST, bins_of_categories, bins_of_numbers, pooled
from fivefold.deploy.watch.shift import (
    chance,
    holm,
    js_distance,
    pearson,
    resampled,
    shift,
)
from seeding import seeded

SLOWLY = settings(max_examples=40, deadline=None, derandomize=True)
COUNTS = st.lists(st.integers(0, 400), min_size=2, max_size=8)
MANY = st.lists(st.integers(40, 400), min_size=2, max_size=8)


def twin_distance(a: list[int], b: list[int]) -> float:
    """Lin (1991): entropy of the middle minus the middle of the entropies, in bits."""

    def entropy(p: list[float]) -> float:
        return -sum(x * log2(x) for x in p if x > 0)

    p, q = [x / sum(a) for x in a], [x / sum(b) for x in b]
    middle = [(x + y) / 2 for x, y in zip(p, q, strict=True)]
    return sqrt(max(0.0, entropy(middle) - (entropy(p) + entropy(q)) / 2))


@SLOWLY
@given(st.data())
def test_jensen_shannon(data):
    a = data.draw(COUNTS.filter(any))
    b = data.draw(st.lists(st.integers(0, 400), min_size=len(a), max_size=len(a)).filter(any))
    found = float(js_distance(torch.tensor(a), torch.tensor(b)))
    assert found == pytest.approx(twin_distance(a, b), abs=1e-7)
    assert 0 <= found <= 1


def twin_pearson(table: list[list[int]]) -> float:
    """Pearson (1900): squared misses over what independence expects."""
    total, statistic = sum(map(sum, table)), 0.0
    for row in table:
        for i, seen in enumerate(row):
            wanted = sum(row) * sum(r[i] for r in table) / total
            statistic += (seen - wanted) ** 2 / wanted
    return float(chi2.sf(statistic, len(table[0]) - 1))


def test_jensen_shannon_at_its_ends():
    assert float(js_distance(torch.tensor([5, 0]), torch.tensor([0, 9]))) == 1
    assert float(js_distance(torch.tensor([5, 10]), torch.tensor([10, 20]))) == pytest.approx(0)


@SLOWLY
@given(st.data())
def test_pearson_where_nothing_is_rare(data):
    a = data.draw(MANY)
    b = data.draw(st.lists(st.integers(40, 400), min_size=len(a), max_size=len(a)))
    wanted = twin_pearson([a, b])
    assert pearson(torch.tensor(a), torch.tensor(b)) == pytest.approx(wanted, abs=1e-12)


def test_pearson_pools_what_is_rare():
    a, b = [500, 480, 3, 2, 1], [505, 470, 1, 2, 3]
    wanted = twin_pearson([[500, 480, 6], [505, 470, 6]])
    assert pearson(torch.tensor(a), torch.tensor(b)) == pytest.approx(wanted)
    assert pearson(torch.tensor([7, 0]), torch.tensor([9, 0])) == 1.0


@SLOWLY
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm(p_values):
    """Twin: adjusted p-values, the running maximum of (m - rank) p (Holm, 1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, p_values[i] * (len(p_values) - rank))
        adjusted[i] = highest
    safe = [abs(a - 0.05) > 1e-9 for a in adjusted]
    found = holm(p_values, 0.05)
    assert [f for f, s in zip(found, safe, strict=True) if s] == [
        a <= 0.05 for a, s in zip(adjusted, safe, strict=True) if s
    ]


@pytest.mark.parametrize(("k", "n", "m"), [(2, 400, 300), (5, 1000, 200), (11, 5000, 5000)])
def test_chance_is_the_mean_distance_of_samples_of_one_distribution(k, n, m):
    rng = seeded(k)
    weights = torch.rand(k, generator=rng) + 0.2
    drawn = [
        torch.multinomial(weights, s * 400, replacement=True, generator=rng).reshape(400, s)
        for s in (n, m)
    ]
    a, b = (torch.stack([row.bincount(minlength=k) for row in d]) for d in drawn)
    wanted = float(js_distance(a, b).mean())
    assert chance(a[0], b[0]) == pytest.approx(wanted, rel=0.08)


def test_resamples_are_multinomial():
    counts = torch.tensor([300, 0, 100, 600])
    drawn = torch.cat([resampled(counts, seeded(i)) for i in range(20)])
    assert drawn.sum(1).unique().tolist() == [1000]
    assert drawn[:, 1].max() == 0
    assert drawn.double().mean(0).tolist() == pytest.approx([300, 0, 100, 600], abs=2)
    spread = [sqrt(1000 * p * (1 - p)) for p in (0.3, 0.1, 0.6)]
    assert drawn[:, [0, 2, 3]].double().std(0).tolist() == pytest.approx(spread, rel=0.05)


def test_the_interval_holds_the_distance():
    told = shift(torch.tensor([500, 500]), torch.tensor([800, 200]), seeded())
    assert told.low < told.distance < told.high
    assert told.p < 1e-20
    same = shift(torch.tensor([500, 500]), torch.tensor([500, 500]), seeded())
    assert same.low <= same.distance == 0 <= same.high
    assert same.p == 1.0


@SLOWLY
@given(st.lists(st.integers(0, 60), min_size=1, max_size=12))
def test_no_cell_points_at_a_person(counts):
    cells = pooled(counts, LEAST)
    sums = [sum(c for c, at in zip(counts, cells, strict=True) if at == i) for i in set(cells)]
    assert set(cells) == set(range(max(cells) + 1))
    assert all(s == 0 or s >= LEAST for s in sums) or len([s for s in sums if s]) == 1
    assert sum(sums) == sum(counts)


@SLOWLY
@given(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=20, max_size=200))
def test_numbers_fall_into_the_stretch_that_holds_them(values):
    x = torch.tensor(values, dtype=torch.float64)
    bins = bins_of_numbers("x", x)
    assert tuple(bins.count(x).tolist()) == bins.counts
    assert sum(bins.counts) == len(values)
    for value in values[:20]:
        slow = sum(c < value for c in bins.cuts) if value == value else len(bins.labels) - 1
        assert (
            int(bins.count(torch.tensor([value], dtype=torch.float64)).argmax()) == bins.cells[slow]
        )


@pytest.mark.parametrize("common", [0.0, 7.25, -3e5])
def test_a_column_that_is_nearly_constant_still_shows_drift(common):
    usual = torch.cat([torch.full((950,), common), common + 1 + torch.rand(50, generator=seeded())])
    bins = bins_of_numbers("x", usual)
    assert bins.names() == (f"< {common:g}", f"{common:g}", f"> {common:g}", "missing")
    assert bins.counts == (0, 950, 50, 0)
    assert bins_of_numbers("x", torch.full((100,), common)).counts == (0, 100, 0, 0)
    for moved in (common - 1, common + 1):
        live = bins.count(torch.full((200,), moved))
        assert shift(torch.tensor(bins.counts), live, seeded()).p < 1e-9


def test_an_unknown_category_counts_as_missing():
    x = torch.tensor([0.0, 1.0, float("nan"), 7.0, -1.0]).repeat(20)
    bins = bins_of_categories("kind", ("a", "b"), x)
    assert bins.names() == ("a", "b", "missing")
    assert bins.counts == (20, 20, 60)
