"""Every row belongs to one client, by the rule that was asked for."""

import pytest
import torch

from fivefold.core.data import Batch, as_tensor
from fivefold.core.errors import BadInput, BadRecipe
from fivefold.core.schema import Column, Schema
from fivefold.privacy.federated import ByColumn, Dirichlet, Equal
from fivefold.privacy.federated.partition import clients_of
from seeding import seeded

SCHEMA = Schema(columns=(Column(name="a"), Column(name="site")), shape=(2,))


def rows(n=600, n_classes=3):
    y = torch.arange(n) % n_classes
    return Batch(torch.randn(n, 2, generator=seeded()), y)


def owner(partition, data, is_classification=True, seed=1):
    return partition.owner(data, SCHEMA, is_classification, seeded(seed))


@pytest.mark.parametrize("partition", [Equal(n_clients=7), Dirichlet(n_clients=7, alpha=0.3)])
def test_clients_share_out_all_rows(partition):
    who = owner(partition, rows())
    clients = clients_of(who)
    assert clients.rows.sort().values.tolist() == list(range(600))
    assert int(clients.size.min()) >= 1
    for start, size in zip(clients.start.tolist(), clients.size.tolist(), strict=True):
        assert len(who[clients.rows[start : start + size]].unique()) == 1


@pytest.mark.parametrize("partition", [Equal(), Dirichlet()])
def test_the_seed_decides(partition):
    assert torch.equal(owner(partition, rows()), owner(partition, rows()))
    assert not torch.equal(owner(partition, rows()), owner(partition, rows(), seed=2))


def test_equal_parts_differ_by_one_row_at_most():
    size = owner(Equal(n_clients=7), rows()).bincount()
    assert int(size.max()) - int(size.min()) <= 1
    assert len(size) == 7


def purity(alpha, is_classification=True):
    """Return the mean share of a client's largest class."""
    data = rows()
    if not is_classification:
        data = Batch(data.x, torch.arange(600).float())
    who, shares = owner(Dirichlet(n_clients=10, alpha=alpha), data, is_classification), []
    level = data.y if is_classification else (data.y // 60).long()
    for one in who.unique():
        count = level[who == one].bincount().double()
        shares.append(float(count.max() / count.sum()))
    return sum(shares) / len(shares)


def test_dirichlet_separates_classes_at_small_alpha_and_mixes_them_at_large():
    assert purity(0.05) > 0.75
    assert purity(1000.0) < 0.45


def test_dirichlet_cuts_numbers_into_groups():
    assert purity(0.05, is_classification=False) > 0.5
    assert purity(1000.0, is_classification=False) < 0.3


def test_a_tiny_alpha_gives_each_class_to_one_client():
    who = owner(Dirichlet(n_clients=50, alpha=1e-6), rows())
    assert all(len(who[rows().y == k].unique()) == 1 for k in range(3))


def test_a_column_names_the_clients():
    data = rows()
    as_tensor(data.x)[:, 1] = torch.arange(600) % 4 * 2.5
    who = owner(ByColumn(column="site"), data)
    assert who.tolist() == [i % 4 for i in range(600)]


def test_an_unknown_column_and_missing_values_are_refused():
    data = rows()
    with pytest.raises(BadRecipe, match="a, site"):
        owner(ByColumn(column="hospital"), data)
    as_tensor(data.x)[3, 1] = torch.nan
    with pytest.raises(BadInput, match="belong to no client"):
        owner(ByColumn(column="site"), data)
