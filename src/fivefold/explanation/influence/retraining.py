"""The same network, trained anew on chosen parts of the data, so that what examples did can be seen."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap

from fivefold.core import progress
from fivefold.core.data import Batch, Draws, Inputs, Seen, take
from fivefold.core.limits import Count
from fivefold.core.loss import Loss, loss_of
from fivefold.core.model import HasArchitecture, HasNet, Model
from fivefold.core.randomness import fresh_seed, spawn
from fivefold.core.step import Step
from fivefold.training.fit import fit
from fivefold.training.optimizer import SGD, AdamW, Optimizer


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
        if isinstance(self.optimizer, AdamW | SGD) and _is_plain(nets[0]):
            train_as_one(nets, train, rows, loss, self.optimizer)
        else:
            train_in_turn(nets, train, rows, loss, self.optimizer)
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


def train_as_one(
    nets: Sequence[nn.Module],
    train: Batch,
    rows: Int[Tensor, "step part size"],
    loss: Loss,
    optimizer: Optimizer,
) -> None:
    """Train all `nets` in place, each on its own rows, as one network of stacked weights."""
    weights, buffers = stack_module_state(list(nets))

    def own(weights: dict[str, Tensor], buffers: dict[str, Tensor], x: Inputs, y: Tensor) -> Tensor:
        return loss(
            lambda v: functional_call(nets[0], (weights, buffers), (v,)), Batch(x, y)
        ).mean()

    slope = vmap(grad(own))
    bare = {n: w.detach() for n, w in weights.items()}  # the same memory, without a history
    stepper = optimizer.over(weights.values())
    rates = [group["lr"] for group in stepper.param_groups]
    for i, part in enumerate(progress.track(rows, "training anew", len(rows))):
        x = take(train.x, part)
        found = slope(bare, buffers, x if isinstance(x, Tensor) else dict(x), train.y[part])
        for name, weight in weights.items():
            weight.grad = found[name]
        for group, rate in zip(stepper.param_groups, rates, strict=True):
            group["lr"] = rate * optimizer.schedule.factor(i, len(rows))
        stepper.step()
    with torch.no_grad():
        for i, net in enumerate(nets):
            for name, weight in net.named_parameters():
                weight.copy_(weights[name][i])


def train_in_turn(
    nets: Sequence[nn.Module],
    train: Batch,
    rows: Int[Tensor, "step part size"],
    loss: Loss,
    optimizer: Optimizer,
) -> None:
    """Do the same, one network after another."""
    for i, net in enumerate(nets):

        def own(_: Generator, i: int = i) -> Iterator[Tensor]:
            return iter(rows[:, i])

        fit(net, Draws(train, own, len(rows), 0), loss, optimizer=optimizer)


def _is_plain(net: nn.Module) -> bool:
    """Whether stacking changes nothing: no layer keeps running statistics, every weight is trained."""
    is_still = not any(getattr(layer, "track_running_stats", False) for layer in net.modules())
    return is_still and all(w.requires_grad for w in net.parameters())
