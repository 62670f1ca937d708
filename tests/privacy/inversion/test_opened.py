"""Prepared values lead back to the user's own."""

import torch

from fivefold.core.data import Batch, Dataset, Seen, Splits
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.models import MLP, ConvNet, fresh
from fivefold.privacy.inversion.opened import opened
from seeding import seeded

COLUMNS = (
    Column(name="kind", kind="category", categories=("a", "b", "c")),
    Column(name="age", center=40.0, scale=10.0),
    Column(name="pay", center=1.0, scale=0.5, is_optional=True),
)


def there_and_back(architecture, x, schema):
    one = Batch(x, torch.arange(len(x)) % 2)
    task = Task(classes=("no", "yes"))
    data = Dataset("rows", Splits(Seen(one, one), one), schema, task, "rows")
    way = opened(fresh(architecture, data, seeded()).net, schema, one)
    return way, way.decode(way.encode(x))


def test_a_table_with_categories_and_gaps():
    x = torch.tensor([[0.0, 33.0, 2.0], [2.0, 50.0, torch.nan], [1.0, 40.0, 1.0]])
    way, back = there_and_back(MLP(hidden=(4,)), x, Schema(columns=COLUMNS, shape=(3,)))
    torch.testing.assert_close(back, x, equal_nan=True)
    assert way.encode(x).shape == (3, 6)


def test_images():
    x = torch.rand(3, 1, 4, 4, generator=seeded())
    for architecture, width in ((MLP(hidden=(4,)), (16,)), (ConvNet(width=2, hidden=4), (1, 4, 4))):
        way, back = there_and_back(architecture, x, Schema(shape=(1, 4, 4)))
        torch.testing.assert_close(back, x)
        assert way.encode(x).shape[1:] == width


def test_a_network_that_prepares_nothing():
    net = torch.nn.Linear(3, 2)
    x = torch.ones(2, 3)
    way = opened(net, Schema(shape=(3,)), Batch(x, torch.zeros(2)))
    assert way.body is net
    torch.testing.assert_close(way.decode(way.encode(x)), x)
