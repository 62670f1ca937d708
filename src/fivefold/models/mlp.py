"""A multilayer perceptron over the columns of a table, or over the pixels of a small image."""

from collections import OrderedDict
from dataclasses import dataclass
from itertools import pairwise

from torch import Generator, nn

from fivefold.core.limits import Count
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.models.initialize import built
from fivefold.models.prepare import PrepareImage, PrepareTable


@dataclass(frozen=True, kw_only=True)
class MLP:
    """Fully connected layers with ReLU between them.

    Attributes:
        hidden: Width of each hidden layer.
    """

    hidden: tuple[Count, ...] = (64, 64)

    def build(self, schema: Schema, task: Task, rng: Generator) -> nn.Sequential:
        """Return an untrained network: `prepare`, `body`, `head`."""

        def make() -> nn.Sequential:
            prepare, width = _prepare(schema)
            widths = [width, *self.hidden]
            layers = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.ReLU())]
            body, head = nn.Sequential(*layers), nn.Linear(widths[-1], task.n_outputs)
            return nn.Sequential(OrderedDict(prepare=prepare, body=body, head=head))

        return built(make, rng)  # type: ignore[return-value]


def _prepare(schema: Schema) -> tuple[nn.Module, int]:
    if schema.is_table:
        table = PrepareTable(schema)
        return table, table.width
    return nn.Sequential(PrepareImage(), nn.Flatten()), schema.n_features
