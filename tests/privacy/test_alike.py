"""Two groups of one source are called alike, and the column in which others differ is named."""

import pytest
import torch
from scipy.stats import ks_2samp

from fivefold.core.data import Batch
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.privacy.alike import first_difference, largest_gap
from seeding import seeded


class Numbers:
    task = Task(kind="regression", target="price")
    schema = Schema(columns=tuple(Column(name=n) for n in "abc"), shape=(3,))


def rows(n, seed):
    own = seeded(seed)
    return Batch(torch.randn(n, 3, generator=own), torch.randn(n, generator=own))


@pytest.mark.parametrize("seed", range(5))
def test_the_gap_is_the_one_of_scipy(seed):
    a, b = rows(31, seed).x.round(decimals=1), rows(44, seed + 50).x.round(decimals=1)  # pyright: ignore[reportAttributeAccessIssue]
    wanted = [ks_2samp(a[:, i], b[:, i]).statistic for i in range(3)]  # pyright: ignore[reportAttributeAccessIssue]
    assert largest_gap(a, b).tolist() == pytest.approx(wanted)


def test_one_source_is_hardly_ever_called_two():
    found = [first_difference(rows(100, i), rows(80, 1000 + i), Numbers()) for i in range(300)]  # pyright: ignore[reportArgumentType]
    assert sum(map(bool, found)) <= 2


def test_a_difference_is_named():
    a, b = rows(200, 1), rows(200, 2)
    assert first_difference(a, Batch(b.x, b.y + 1), Numbers()) == "price"  # pyright: ignore[reportArgumentType]
    holes = b.x.clone()  # pyright: ignore[reportAttributeAccessIssue]
    holes[:100, 1] = torch.nan
    assert first_difference(a, Batch(holes, b.y), Numbers()) == "b"  # pyright: ignore[reportArgumentType]
