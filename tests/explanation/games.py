"""Models that are plain functions, and Shapley values by their definition."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Self

import torch
from torch import Tensor

from fivefold.core.data import Batch, Inputs, Seen, Splits, as_tensor
from fivefold.core.lineage import Lineage
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task


@dataclass(frozen=True)
class Function:
    """A black box: a function of the rows, in double precision."""

    function: Callable[[Tensor], Tensor]
    schema: Schema
    task: Task = Task(kind="regression")
    lineage: Lineage = ()

    def predict(self, x: Inputs) -> Tensor:
        answer = self.function(as_tensor(x).double())
        return answer[:, None] if answer.ndim == 1 else answer

    def with_lineage(self, lineage: Lineage) -> Self:
        return replace(self, lineage=lineage)


def of_columns(n: int, function: Callable[[Tensor], Tensor], task: Task | None = None) -> Function:
    columns = tuple(Column(name=f"c{i}") for i in range(n))
    schema = Schema(columns=columns, shape=(n,))
    return Function(function, schema, task or Task(kind="regression"))


def of_game(n: int, value: Callable[[Tensor], Tensor]) -> Function:
    """A model of rows of zeros and ones, where a one means that the player takes part."""
    return of_columns(n, value)


def ones(n: int) -> tuple[Tensor, Tensor]:
    """All players take part; against nobody."""
    return torch.ones(1, n), torch.zeros(1, n)


def by_definition(value: Callable[[Tensor], Tensor], n: int) -> Tensor:
    """The mean gain of each player over every order in which they may come in."""
    total, orders = torch.zeros(n, dtype=torch.float64), list(permutations(range(n)))
    for order in orders:
        inside = torch.zeros(1, n, dtype=torch.float64)
        for player in order:
            before = value(inside)[0]
            inside[0, player] = 1
            total[player] += value(inside)[0] - before
    return total / len(orders)


def random_game(n: int, seed: int) -> Callable[[Tensor], Tensor]:
    """A smooth game with interactions of every order: a random network of who takes part."""
    rng = torch.Generator().manual_seed(seed)
    inner = torch.randn(n, 16, generator=rng, dtype=torch.float64)
    bias = torch.randn(16, generator=rng, dtype=torch.float64)
    outer = torch.randn(16, generator=rng, dtype=torch.float64)
    line = torch.randn(n, generator=rng, dtype=torch.float64)
    return lambda x: torch.relu(x.double() @ inner + bias) @ outer + x.double() @ line


def splits_of(x: Tensor, n_test: int = 40) -> Splits:
    """The last rows to test on, the others to train on; targets that nobody reads."""
    y = torch.zeros(len(x))
    held, kept = Batch(x[-n_test:], y[-n_test:]), Batch(x[:-n_test], y[:-n_test])
    return Splits(Seen(kept, held), held)
