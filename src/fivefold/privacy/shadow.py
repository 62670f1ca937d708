"""Shadow models (Shokri et al., 2017): the same kind of network, trained on known halves of the data.

All of them are trained in one program: their weights are stacked and every operation runs for all of
them at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap

from fivefold.core import progress
from fivefold.core.data import Batch, Draws, Inputs, Seen, take
from fivefold.core.loss import Loss, loss_of
from fivefold.core.model import HasArchitecture
from fivefold.core.randomness import spawn
from fivefold.core.step import Step
from fivefold.training.fit import fit
from fivefold.training.optimizer import SGD, AdamW, Optimizer


@dataclass(frozen=True, kw_only=True)
class Shadows:
    """How shadow models are trained.

    Attributes:
        epochs: Passes over each one's half.
        size: Examples per batch.
        optimizer: How weights move; AdamW and SGD train all shadows together, others one by one.
        step: If given, trains each shadow instead, one after another.
    """

    epochs: int
    size: int
    optimizer: Optimizer
    step: Step | None = None

    def outputs(
        self,
        model: HasArchitecture,
        pool: Batch,
        inside: Bool[Tensor, "shadow row"],
        rng: Generator,
    ) -> Float[Tensor, "shadow row output"]:
        """Return what each shadow, trained on the rows where it is `inside`, answers for every row."""
        nets = [model.architecture.build(model.schema, model.task, spawn(rng)) for _ in inside]
        if self.step is not None:
            return self._by_step(self.step, model, nets, pool, inside, rng)
        table = batch_table(inside, self.size, self.epochs, rng)
        loss = loss_of(model.task)
        if self._is_together(nets[0]):
            train_together(nets, pool, table, loss, self.optimizer)
        else:
            train_apart(nets, pool, table, loss, self.optimizer)
        return torch.stack([model.with_net(net).predict(pool.x).double() for net in nets])

    def _is_together(self, net: nn.Module) -> bool:
        """Whether stacking changes nothing: no running statistics, and each weight moves by itself."""
        stateless = not any(getattr(layer, "track_running_stats", False) for layer in net.modules())
        return stateless and isinstance(self.optimizer, AdamW | SGD)

    def _by_step(
        self,
        step: Step,
        model: HasArchitecture,
        nets: list[nn.Module],
        pool: Batch,
        inside: Bool[Tensor, "shadow row"],
        rng: Generator,
    ) -> Float[Tensor, "shadow row output"]:
        told: list[Tensor] = []
        for net, mine in progress.track(list(zip(nets, inside, strict=True)), "shadow models"):
            seen = Seen(pool.take(mine.nonzero()[:, 0]), pool.take(slice(0, 0)))
            told.append(step(model.with_net(net), seen, rng=spawn(rng)).predict(pool.x).double())
        return torch.stack(told)


def halves(n_rows: int, n_shadows: int, rng: Generator) -> Bool[Tensor, "shadow row"]:
    """Return who is in which shadow's half: shadows come in pairs that share out all rows.

    So each row is inside exactly half of the shadows.
    """
    inside = torch.zeros(n_shadows, n_rows, dtype=torch.bool)
    for i in range(0, n_shadows, 2):
        inside[i, torch.randperm(n_rows, generator=rng)[: n_rows // 2]] = True
        inside[i + 1] = ~inside[i]
    return inside


def batch_table(
    inside: Bool[Tensor, "shadow row"], size: int, epochs: int, rng: Generator
) -> Int[Tensor, "step shadow size"]:
    """Return the rows of each batch of each shadow; the last batch of an epoch borrows from its start."""
    least = int(inside.sum(1).min())
    size = min(size, least)
    steps = -(-least // size)
    own = [mine.nonzero()[:, 0] for mine in inside]
    passes: list[Tensor] = []
    for _ in range(epochs):
        order = [o[torch.randperm(len(o), generator=rng)] for o in own]
        wrapped = torch.stack([torch.cat([o, o])[: steps * size] for o in order])
        passes.append(wrapped.view(len(own), steps, size).transpose(0, 1))
    return torch.cat(passes)


def train_together(
    nets: Sequence[nn.Module],
    pool: Batch,
    table: Int[Tensor, "step shadow size"],
    loss: Loss,
    optimizer: Optimizer,
) -> None:
    """Train all `nets` in place, each on its own batches, as one stacked network."""
    base = nets[0]
    weights, buffers = stack_module_state(list(nets))
    stepper = optimizer.over(weights.values())

    def own_loss(
        weights: dict[str, Tensor], buffers: dict[str, Tensor], x: Inputs, y: Tensor
    ) -> Tensor:
        def forward(given: Inputs) -> Tensor:
            return functional_call(base, (weights, buffers), (given,))

        return loss(forward, Batch(x, y)).mean()

    slope = vmap(grad(own_loss))
    plain = {n: w.detach() for n, w in weights.items()}  # the same memory, without a history
    for i, rows in enumerate(progress.track(table, "shadow models", len(table))):
        x = take(pool.x, rows)
        x = x if isinstance(x, Tensor) else dict(x)
        for name, value in slope(plain, buffers, x, pool.y[rows]).items():
            weights[name].grad = value
        for group in stepper.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"])
            group["lr"] *= optimizer.schedule.factor(i, len(table))
        stepper.step()
    with torch.no_grad():
        for i, net in enumerate(nets):
            for name, weight in net.named_parameters():
                weight.copy_(weights[name][i])


def train_apart(
    nets: Sequence[nn.Module],
    pool: Batch,
    table: Int[Tensor, "step shadow size"],
    loss: Loss,
    optimizer: Optimizer,
) -> None:
    """Do what `train_together` does, one network after another (for layers with running statistics)."""
    for i, net in enumerate(nets):

        def rows(_: Generator, i: int = i) -> Iterator[Tensor]:
            return iter(table[:, i])

        fit(net, Draws(pool, rows, len(table), 0), loss, optimizer=optimizer)
