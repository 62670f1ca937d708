from collections import Counter
from math import perm

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.data import Batch, as_tensor, distinct, poisson, shuffled
from fivefold.core.randomness import fresh_seed, spawn
from seeding import seeded

few = settings(max_examples=20, deadline=None, derandomize=True)


def numbered(n):
    return Batch(torch.arange(n), torch.arange(n))


def rows(batches):
    return [batch.y.tolist() for batch in batches]


@few
@given(st.integers(0, 30), st.integers(1, 12), st.integers(1, 4), st.integers(0, 99))
def test_shuffled_reads_each_example_once_per_epoch(n, size, epochs, seed):
    draws = shuffled(numbered(n), size, epochs, seeded(seed))
    found = rows(draws)
    per_epoch = len(found) // epochs
    assert len(found) == len(draws) or n == 0
    for e in range(epochs if n else 0):
        epoch = [r for rows in found[e * per_epoch : (e + 1) * per_epoch] for r in rows]
        assert sorted(epoch) == list(range(n))


def test_epochs_come_in_different_orders():
    first, second = rows(shuffled(numbered(20), 20, 2, seeded()))
    assert first != second


@few
@given(st.integers(1, 30), st.integers(0, 99), st.booleans())
def test_resuming_gives_what_was_left(index, seed, is_poisson):
    data = numbered(25)
    draws = (
        poisson(data, 0.3, 30, seeded(seed)) if is_poisson else shuffled(data, 4, 5, seeded(seed))
    )
    whole = rows(draws)
    assert rows(draws) == whole
    assert rows(draws.starting_at(index)) == whole[index:]


def test_poisson_is_one_coin_per_example():
    """Sizes and inclusions against coins that are really thrown."""
    n, rate, steps = 12, 0.3, 6000
    found = torch.zeros(steps, n)
    for i, batch in enumerate(poisson(numbered(n), rate, steps, seeded())):
        assert len(set(batch.y.tolist())) == batch.size
        found[i, batch.y] = 1
    coins = (torch.rand(steps, n, generator=seeded(1)) < rate).float()
    assert torch.allclose(found.mean(0), torch.full((n,), rate), atol=0.03)
    assert torch.allclose(found.T.corrcoef(), torch.eye(n), atol=0.06)
    ours, theirs = (x.sum(1).long().bincount(minlength=n + 1) / steps for x in (found, coins))
    assert float((ours - theirs).abs().sum()) / 2 < 0.04


@pytest.mark.parametrize("size, among", [(1, 4), (2, 8), (3, 12), (3, 4), (4, 4)])
def test_every_choice_and_order_of_rows_is_equally_likely(size, among):
    """Few numbers of which many are drawn twice, and the branch for large shares."""
    own, n = seeded(4), 20_000
    seen = Counter(tuple(distinct(size, among, own).tolist()) for _ in range(n))
    kinds = perm(among, size)
    assert all(len(set(k)) == size and max(k) < among for k in seen)
    square = sum((seen[k] - n / kinds) ** 2 for k in seen) + (kinds - len(seen)) * (n / kinds) ** 2
    assert abs(square * kinds / n - (kinds - 1)) < 4 * (2 * (kinds - 1)) ** 0.5


def test_poisson_sizes_are_binomial_at_a_million_examples():
    data = Batch(torch.empty(1_200_000, 0), torch.empty(1_200_000))
    sizes = torch.tensor([b.size for b in poisson(data, 256 / data.size, 2000, seeded())]).double()
    assert float(sizes.mean()) == pytest.approx(256, abs=5 * (256 / 2000) ** 0.5)
    assert float(sizes.var()) == pytest.approx(256, rel=5 * (2 / 2000) ** 0.5)


def test_poisson_batches_may_be_empty_and_full():
    assert all(not r for r in rows(poisson(numbered(5), 1e-12, 3, seeded())))
    assert all(sorted(r) == [0, 1, 2, 3, 4] for r in rows(poisson(numbered(5), 1.0, 3, seeded())))


def test_batches_of_mappings_are_taken_together():
    batch = Batch({"a": torch.arange(4), "b": torch.eye(4)}, torch.arange(4))
    part = batch.take(torch.tensor([2, 0])).to(torch.device("cpu"))
    assert isinstance(part.x, dict)
    assert part.x["a"].tolist() == [2, 0]
    assert part.x["b"].shape == (2, 4)
    assert part.size == 2
    with pytest.raises(TypeError, match="mapping"):
        as_tensor(batch.x)


def test_generators_are_split_without_touching_the_global_one():
    state = torch.random.get_rng_state()
    a, b = seeded(), seeded()
    assert fresh_seed(a) == fresh_seed(b)
    first, second = spawn(a), spawn(a)
    assert not torch.equal(torch.rand(4, generator=first), torch.rand(4, generator=second))
    assert torch.equal(torch.random.get_rng_state(), state)
