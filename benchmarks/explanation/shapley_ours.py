"""Our estimators as players of the games: the public classes, asked through a model of zeros and ones."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from shapley_played import Array, Counted
from torch import Tensor

from fivefold.core.data import Inputs, as_tensor
from fivefold.core.lineage import Lineage
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.explanation import Attribution, LeverageSHAP, OddKernelSHAP


@dataclass(frozen=True)
class OfGame:
    """A model whose rows say which features are known."""

    answer: Callable[[Array], Array]
    schema: Schema
    task: Task = Task(kind="regression")
    lineage: Lineage = ()

    def predict(self, x: Inputs) -> Tensor:
        return torch.from_numpy(self.answer(as_tensor(x).numpy()))[:, None]

    def with_lineage(self, lineage: Lineage) -> "OfGame":
        return replace(self, lineage=lineage)


def columns_of(n: int) -> Schema:
    """Return the schema of a game of `n` features."""
    return Schema(columns=tuple(Column(name=f"c{i}") for i in range(n)), shape=(n,))


@dataclass(frozen=True)
class Ours:
    """One of our estimators, by its budget."""

    name: str
    made: Callable[[int], LeverageSHAP | OddKernelSHAP]

    def explained(
        self, answer: Callable[[Array], Array], n: int, budget: int, seed: int
    ) -> Attribution:
        model = OfGame(answer, columns_of(n))
        rng = torch.Generator().manual_seed(seed)
        return self.made(budget)(model, torch.ones(1, n), torch.zeros(1, n), rng=rng)

    def __call__(self, game: Counted, budget: int, seed: int) -> Array:
        return self.explained(game, game.game.n, budget, seed).values[0, :, 0].numpy()


LEVERAGE = Ours("LeverageSHAP", lambda budget: LeverageSHAP(budget=budget))
ODD_KERNEL = Ours("OddKernelSHAP", lambda budget: OddKernelSHAP(budget=budget))
