"""A table model that needs no training, for servers."""

from torch import Generator

from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.models import MLP, TorchModel

COLUMNS = (
    Column(name="dose", low=0.0, high=1.0),
    Column(name="kind", kind="category", categories=("mild", "plain", "strong")),
    Column(name="age", kind="integer", low=0, high=120, is_observed=True, is_optional=True),
)


def toy_model() -> TorchModel:
    schema = Schema(columns=COLUMNS, shape=(3,))
    task = Task(classes=("no", "yes"))
    architecture = MLP(hidden=(8,))
    net = architecture.build(schema, task, Generator().manual_seed(3)).eval()
    return TorchModel(net, task, schema, architecture)
