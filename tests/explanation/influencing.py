"""Small questions that every test of attribution to training data may ask."""

import torch
from torch import nn

from fivefold.core.data import Batch
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.models import MLP, TorchModel
from seeding import seeded

NUMBER, CLASSES = Task(kind="regression"), Task(classes=("a", "b", "c"))


def schema(n=3):
    return Schema(columns=tuple(Column(name=f"c{i}") for i in range(n)), shape=(n,))


def examples(task, n=20, columns=3, seed=0):
    own = seeded(seed)
    x = torch.randn(n, columns, generator=own)
    if not task.is_classification:
        return Batch(x, x[:, 0] - 2 * x[:, 1] + 0.5 * torch.randn(n, generator=own))
    pushed = x[:, :1] * torch.tensor([[1.0, -1.0, 0.5]])[:, : task.n_outputs]
    noise = torch.randn(n, task.n_outputs, generator=own)
    return Batch(x, (pushed + 0.7 * noise).argmax(1))


def network(task, hidden=(), columns=3, seed=0):
    made = MLP(hidden=hidden)
    net = made.build(schema(columns), task, seeded(seed))
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, nn.Linear):
                layer.bias.normal_(std=0.3, generator=seeded(seed + 1))
    return TorchModel(net, task, schema(columns), made)


def scores(model, rows):
    """Return the log-odds of the class asked about, or the number, written plainly."""
    outputs = model.predict(rows.x).double()
    if not model.task.is_classification:
        return outputs[:, 0]
    p = outputs.softmax(1).gather(1, rows.y[:, None])[:, 0]
    return torch.log(p / (1 - p))
