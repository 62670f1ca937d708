"""Small real models and data that every test may ask for."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Generator

from chromium import chromium
from fivefold.core.data import Batch, Dataset, Seen, Splits
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.learning import Finetune
from fivefold.models import MLP, TorchModel, fresh
from seeding import seeded


@pytest.fixture
def rng() -> Generator:
    return seeded()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real browser; the test skips where there is none."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def table() -> Dataset:
    """400 rows of six numbers; the class is the sign of the sum of the first two."""
    own = seeded()
    x = torch.randn(400, 6, generator=own)
    y = (x[:, 0] + x[:, 1] > 0).long()
    columns = [Column(name=f"c{i}", low=-4.0, high=4.0, scale=1.0) for i in range(6)]
    columns[5] = Column(name="c5", low=-4.0, high=4.0, is_protected=True, cuts=(0.0,))
    seen = Seen(Batch(x[:250], y[:250]), Batch(x[250:300], y[250:300]))
    splits = Splits(seen, Batch(x[300:], y[300:]))
    schema = Schema(columns=tuple(columns), shape=(6,))
    return Dataset("toy table", splits, schema, Task(classes=("no", "yes")), "toy-table")


@pytest.fixture(scope="session")
def images() -> Dataset:
    """300 grey images of 8x8: a bright row (class 0), column (class 1) or diagonal (class 2)."""
    own = seeded(1)
    y = torch.arange(300) % 3
    x = torch.rand(300, 1, 8, 8, generator=own) * 0.3
    for i, kind in enumerate(y.tolist()):
        place = int(torch.randint(8, (), generator=own))
        if kind == 0:
            x[i, 0, place] += 0.6
        elif kind == 1:
            x[i, 0, :, place] += 0.6
        else:
            x[i, 0] += 0.6 * torch.eye(8).roll(place, 1)
    seen = Seen(Batch(x[:180], y[:180]), Batch(x[180:220], y[180:220]))
    splits = Splits(seen, Batch(x[220:], y[220:]))
    task = Task(classes=("row", "column", "diagonal"))
    return Dataset("toy images", splits, Schema(shape=(1, 8, 8)), task, "toy-images")


@pytest.fixture(scope="session")
def numbers() -> Dataset:
    """400 rows of four numbers; the target is a linear function and a product."""
    own = seeded(2)
    x = torch.randn(400, 4, generator=own)
    y = 2 * x[:, 0] - x[:, 1] + x[:, 2] * x[:, 3]
    columns = tuple(Column(name=f"c{i}", low=-4.0, high=4.0) for i in range(4))
    seen = Seen(Batch(x[:250], y[:250]), Batch(x[250:300], y[250:300]))
    splits = Splits(seen, Batch(x[300:], y[300:]))
    return Dataset(
        "toy numbers", splits, Schema(columns=columns, shape=(4,)), Task(kind="regression"), "toy"
    )


@pytest.fixture(scope="session")
def untrained(table: Dataset) -> TorchModel:
    return fresh(MLP(hidden=(16,)), table, seeded())


@pytest.fixture(scope="session")
def trained(table: Dataset, untrained: TorchModel) -> TorchModel:
    model = Finetune(epochs=20)(untrained, table.splits.seen, rng=seeded())
    assert isinstance(model, TorchModel)
    return model


@pytest.fixture(scope="session")
def trained_images(images: Dataset) -> TorchModel:
    model = Finetune(epochs=20)(
        fresh(MLP(hidden=(32,)), images, seeded()), images.splits.seen, rng=seeded()
    )
    assert isinstance(model, TorchModel)
    return model


@pytest.fixture(scope="session")
def trained_numbers(numbers: Dataset) -> TorchModel:
    model = Finetune(epochs=20)(
        fresh(MLP(hidden=(32,)), numbers, seeded()), numbers.splits.seen, rng=seeded()
    )
    assert isinstance(model, TorchModel)
    return model
