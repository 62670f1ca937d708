"""Many networks of one kind, each on rows of its own: as one, with stacked weights, or one after another."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from fivefold.core import progress
from fivefold.core.data import Batch, Draws, Inputs, as_tensor, take
from fivefold.core.loss import Loss
from fivefold.core.randomness import drawing_from
from fivefold.models.prepare import PrepareImage, PrepareTable
from fivefold.training.fit import fit
from fivefold.training.optimizer import SGD, AdamW, Optimizer

Weights: TypeAlias = Mapping[str, Tensor]
FIXED = (PrepareTable, PrepareImage, nn.Flatten)  # same row, same answer, whatever was learned
EACH_VALUE = (nn.ReLU, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Identity)

# Why networks were not trained as one; the report of shadow models says it.
APART_OPTIMIZER = "Shadow models were trained one after another, because their optimizer does not move each weight by itself. "
APART_STATISTICS = (
    "Shadow models were trained one after another, because a layer keeps running statistics. "
)
APART_LAYERS = "Shadow models were trained one after another, because a layer draws random numbers or does not run for several networks at once. "
APART_LARGE = "Shadow models were trained one after another, because they are large. "


class Stack(NamedTuple):
    """Weights and buffers `(network, ...)`, what to feed it, its answers `(network, batch, output)`."""

    weights: dict[str, Tensor]
    buffers: dict[str, Tensor]
    pool: Batch
    answers: Callable[[Inputs], Tensor]


def train_together(
    nets: Sequence[nn.Module],
    pool: Batch,
    table: Int[Tensor, "step network size"],
    loss: Loss,
    optimizer: Optimizer,
    label: str,
) -> None:
    """Train all `nets` in place, each on its own batches; `label` is what the progress is of.

    Each gets what training it alone gives, up to rounding: no operation mixes networks, and the optimizer
    moves each weight by itself.
    """
    stack = _stack(nets, pool)
    stepper = optimizer.over(stack.weights.values())  # type: ignore[arg-type]
    for i, rows in enumerate(progress.track(table, label, len(table))):
        y = stack.pool.y[rows]
        answers = stack.answers(take(stack.pool.x, rows))
        each = loss(lambda _, a=answers: a.flatten(0, 1), Batch(y.flatten(), y.flatten()))
        for group in stepper.param_groups:
            start = group.setdefault("initial_lr", group["lr"])
            group["lr"] = start * optimizer.schedule.factor(i, len(table))
        stepper.zero_grad()
        (each.sum() / rows.shape[1]).backward()
        stepper.step()
    with torch.no_grad():
        for i, net in enumerate(nets):
            for name, weight in net.named_parameters():
                weight.copy_(stack.weights[name][i])
            net.eval()


def train_apart(
    nets: Sequence[nn.Module],
    pool: Batch,
    table: Int[Tensor, "step network size"],
    loss: Loss,
    optimizer: Optimizer,
    rngs: Sequence[Generator],
) -> None:
    """Do what `train_together` does, one network after another, for layers that cannot be stacked.

    Layers that draw from torch's own generator draw from `rngs` instead, one for each network.
    """
    for i, (net, rng) in enumerate(zip(nets, rngs, strict=True)):

        def rows(_: Generator, i: int = i) -> Iterator[Tensor]:
            return iter(table[:, i])

        with drawing_from(rng):
            fit(net, Draws(pool, rows, len(table), 0), loss, optimizer=optimizer)


def why_not_together(nets: Sequence[nn.Module], pool: Batch, optimizer: Optimizer) -> str:
    """Return why these networks must be trained one after another; "" if stacking changes nothing."""
    if not isinstance(optimizer, AdamW | SGD):
        return APART_OPTIMIZER
    if any(getattr(layer, "track_running_stats", False) for layer in nets[0].modules()):
        return APART_STATISTICS
    try:
        stack = _stack(nets[:2], pool.take(slice(0, 2)))
        before = {k: v.clone() for k, v in stack.buffers.items()}
        stack.answers(take(stack.pool.x, torch.tensor([[0, 1], [1, 0]])))
    except RuntimeError:
        return APART_LAYERS
    return (
        "" if all(torch.equal(v, stack.buffers[k]) for k, v in before.items()) else APART_STATISTICS
    )


def _stack(nets: Sequence[nn.Module], pool: Batch) -> Stack:
    for net in nets:
        net.train()
    base = nets[0]
    weights, buffers = stack_module_state(list(nets))
    by_hand = _by_hand(base, pool, weights)
    if by_hand is not None:
        return by_hand

    def answer(weights: dict[str, Tensor], buffers: dict[str, Tensor], x: Inputs) -> Tensor:
        return functional_call(base, (weights, buffers), (x,))

    every = vmap(answer)
    return Stack(
        weights,
        buffers,
        pool,
        lambda x: every(weights, buffers, x if isinstance(x, Tensor) else dict(x)),
    )


def _by_hand(base: nn.Module, pool: Batch, weights: dict[str, Tensor]) -> Stack | None:
    """Return the stack as plain batched matrix products, if the network is nothing but linear layers.

    What is the same in every network, the preparation of inputs, is done once for all rows.
    """
    layers = _layers(base)
    n_fixed = next((i for i, (_, m) in enumerate(layers) if not isinstance(m, FIXED)), len(layers))
    rest = layers[n_fixed:]
    are_known = all(isinstance(m, (nn.Linear, *EACH_VALUE)) for _, m in rest)
    names = {n for n, _ in base.named_parameters()}
    own = {f"{n}.{p}" for n, m in rest for p, _ in m.named_parameters()}
    if not (isinstance(pool.x, Tensor) and are_known and own == names):
        return None
    with torch.no_grad():
        x = pool.x
        for _, layer in layers[:n_fixed]:
            x = layer(x)
    if x.dim() != 2:
        return None

    def answers(x: Inputs) -> Tensor:
        value = as_tensor(x)
        for name, layer in rest:
            value = _linear(value, name, weights) if isinstance(layer, nn.Linear) else layer(value)
        return value

    return Stack(weights, {}, Batch(x, pool.y), answers)


def _linear(
    x: Float[Tensor, "network batch feature"], name: str, weights: Weights
) -> Float[Tensor, "network batch output"]:
    turned, bias = weights[f"{name}.weight"].transpose(1, 2), weights.get(f"{name}.bias")
    return x.bmm(turned) if bias is None else torch.baddbmm(bias[:, None], x, turned)


def _layers(net: nn.Module, prefix: str = "") -> list[tuple[str, nn.Module]]:
    """Return the layers of nested `Sequential`s in order, with their names."""
    if type(net) is not nn.Sequential:
        return [(prefix.removesuffix("."), net)]
    return [one for n, child in net.named_children() for one in _layers(child, f"{prefix}{n}.")]
