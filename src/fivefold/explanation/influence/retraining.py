"""The same network, trained anew on chosen parts of the data, so that what examples did can be seen."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor, nn

from fivefold.core import progress
from fivefold.core.data import Batch, Seen
from fivefold.core.limits import Count
from fivefold.core.loss import loss_of
from fivefold.core.model import HasArchitecture, HasNet, Model
from fivefold.core.randomness import fresh_seed, spawn
from fivefold.core.step import Step
from fivefold.training.optimizer import AdamW, Optimizer
from fivefold.training.together import train_apart, train_together, why_not_together


@runtime_checkable
class Trains(Protocol):
    """Trains networks of one kind anew, each on a part of the data."""

    def __call__(
        self, model: HasArchitecture, train: Batch, parts: Bool[Tensor, "part row"], rng: Generator
    ) -> list[Model]:
        """Return one trained model per part, each of equally many rows."""
        ...


@dataclass(frozen=True, kw_only=True)
class Retraining:
    """How networks are trained anew: from the same fresh weights, in the same order of rows.

    So they differ by their data and, but for a `step` that draws its own order, by nothing else. Networks
    of plain layers are trained as one.

    Attributes:
        epochs: Passes over each one's part.
        size: Examples per batch.
        optimizer: How weights move; AdamW and SGD train all networks together, others one by one.
        step: If given, trains each network instead, one after another.
    """

    epochs: Count = 20
    size: Count = 64
    optimizer: Optimizer = AdamW()
    step: Step | None = None

    def __call__(
        self, model: HasArchitecture, train: Batch, parts: Bool[Tensor, "part row"], rng: Generator
    ) -> list[Model]:
        """Return one trained model per part, each of equally many rows."""
        first = model.architecture.build(model.schema, model.task, spawn(rng))
        nets = [deepcopy(first) for _ in parts]
        if self.step is not None:
            return self._by_step(self.step, model, nets, train, parts, rng)
        rows = schedule(parts, self.size, self.epochs, rng)
        loss = loss_of(model.task)
        if why_not_together(nets, train, self.optimizer):
            same = spawn(rng)
            train_apart(nets, train, rows, loss, self.optimizer, [same] * len(nets))
        else:
            train_together(nets, train, rows, loss, self.optimizer, "training anew")
        return [model.with_net(net.eval()) for net in nets]

    def _by_step(
        self,
        step: Step,
        model: HasNet,
        nets: Sequence[nn.Module],
        train: Batch,
        parts: Bool[Tensor, "part row"],
        rng: Generator,
    ) -> list[Model]:
        pairs = list(zip(nets, parts, strict=True))
        nobody, seed = train.take(slice(0, 0)), fresh_seed(rng)
        return [
            step(
                model.with_net(net),
                Seen(train.take(part), nobody),
                rng=Generator().manual_seed(seed),
            )
            for net, part in progress.track(pairs, "training anew")
        ]

    def __str__(self) -> str:
        if self.step is not None:
            return type(self.step).__name__
        return f"{type(self.optimizer).__name__} for {self.epochs} epochs"


def parts_of(n_rows: int, n_parts: int, share: float, rng: Generator) -> Bool[Tensor, "part row"]:
    """Return random parts of equal size, drawn apart."""
    size = min(max(round(share * n_rows), 1), n_rows)
    found = torch.zeros(n_parts, n_rows, dtype=torch.bool)
    for part in found:
        part[torch.randperm(n_rows, generator=rng)[:size]] = True
    return found


def schedule(
    parts: Bool[Tensor, "part row"], size: int, epochs: int, rng: Generator
) -> Int[Tensor, "step part size"]:
    """Return the rows of each batch of each part: every row once an epoch, the last batch filled from the first.

    An epoch has one order of all rows, in which each part skips those that it lacks.
    """
    own = parts.nonzero()[:, 1].view(len(parts), -1)
    size = min(size, own.shape[1])
    steps = -(-own.shape[1] // size)
    found: list[Tensor] = []
    for _ in range(epochs):
        place = torch.rand(parts.shape[1], generator=rng)
        order = own.gather(1, place[own].argsort(1))
        filled = torch.cat([order, order], 1)[:, : steps * size]
        found.append(filled.view(len(parts), steps, size).transpose(0, 1))
    return torch.cat(found)
