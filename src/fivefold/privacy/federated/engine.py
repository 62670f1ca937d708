"""One step of many clients at once. Every engine moves the weights alike, up to rounding.

Which one runs follows from the kind and the size of the network alone, never from a clock, so that a run
repeats bit for bit. The sizes are where each stopped paying on a CPU.
"""

from dataclasses import dataclass
from math import prod
from typing import Literal, NamedTuple, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from fivefold.core.data import Batch, Inputs, take
from fivefold.core.errors import BadRecipe
from fivefold.core.loss import Loss
from fivefold.privacy.federated.layout import Layout, layout_of, read
from fivefold.privacy.federated.move import Engine, Move
from fivefold.privacy.federated.products import products_of

Kind: TypeAlias = Literal["auto", "products", "stacked", "serial"]
MOST_TOGETHER = 2**20  # numbers in the weights of clients that train together: more leave the cache
FEWEST = 8  # clients that train together whatever their size
LARGEST_BY_PRODUCTS = 2**21  # weights of a network beyond which nothing is gained
LARGEST_STACKED = 100_000
MOST_STACKED = (
    2**23
)  # numbers in their weights; what one operation costs counts for more than the cache
MOST_INPUTS = 2**14  # numbers in one example of each: images of many clients leave the cache


@dataclass(frozen=True)
class Stacked:
    """Any network that can be differentiated for many weights at once."""

    net: nn.Module
    loss: Loss
    layout: Layout

    def move(self, weights: Float[Tensor, "client weight"], batch: Move) -> None:
        """Take one step, in place."""
        own = self.layout.views(weights)
        x = batch.x if isinstance(batch.x, Tensor) else dict(batch.x)
        slopes = vmap(grad(self._total))(own, x, batch.y, batch.share)
        if batch.pull is not None:
            weights.sub_(batch.pull, alpha=batch.lr)
        for name, value in own.items():
            value.sub_(slopes[name], alpha=batch.lr)

    def _total(self, weights: dict[str, Tensor], x: Inputs, y: Tensor, share: Tensor) -> Tensor:
        each = self.loss(lambda inputs: functional_call(self.net, weights, (inputs,)), Batch(x, y))
        return (each * share).sum()


@dataclass(frozen=True)
class Serial:
    """One client after another, by plain backpropagation."""

    net: nn.Module
    loss: Loss
    layout: Layout

    def move(self, weights: Float[Tensor, "client weight"], batch: Move) -> None:
        """Take one step, in place."""
        named = dict(self.net.named_parameters())
        params = [named[n] for n in self.layout.names]
        views = list(self.layout.views(weights).values())
        for i, count in enumerate((batch.share > 0).sum(1).tolist()):
            for param, view in zip(params, views, strict=True):
                param.data = view[i]
            own = Batch(take(batch.x, i), batch.y[i]).take(slice(0, count))  # type: ignore[arg-type]
            total = (self.loss(self.net, own) * batch.share[i, :count]).sum()
            slopes = torch.autograd.grad(total, params, materialize_grads=True)
            if batch.pull is not None:
                weights[i].sub_(batch.pull[i], alpha=batch.lr)
            for view, slope in zip(views, slopes, strict=True):
                view[i].sub_(slope, alpha=batch.lr)


class Chosen(NamedTuple):
    """An engine, and how many clients it trains together at most."""

    engine: Engine
    most: int


def choose(kind: Kind, net: nn.Module, data: Batch, loss: Loss, is_classification: bool) -> Chosen:
    """Return the engine for `net`, which is changed by it and must be a copy.

    Raises:
        BadRecipe: `net` has no form for the engine that was asked for.
    """
    layout = layout_of(net)
    most = max(FEWEST, MOST_TOGETHER // layout.width)
    by_products = products_of(net, data, layout, is_classification)
    is_small = layout.width <= LARGEST_BY_PRODUCTS
    if by_products and (kind == "products" or (kind == "auto" and is_small)):
        return Chosen(by_products, most)
    if kind == "products":
        raise BadRecipe(
            "Matrix products by hand are known for linear layers with ReLU or tanh alone.",
            where="engine",
            mend='Use "auto".',
        )
    stacked = Stacked(net, loss, layout)
    if kind == "stacked" or (
        kind == "auto" and layout.width <= LARGEST_STACKED and _runs(stacked, data)
    ):
        return Chosen(stacked, _most_stacked(layout.width, data))
    return Chosen(Serial(net, loss, layout), 1 if 2 * layout.width > MOST_TOGETHER else most)


def _most_stacked(width: int, data: Batch) -> int:
    parts = [data.x] if isinstance(data.x, Tensor) else list(data.x.values())
    per_example = sum(prod(x.shape[1:]) for x in parts)
    return max(FEWEST, min(MOST_STACKED // width, MOST_INPUTS // max(per_example, 1)))


def _runs(engine: Stacked, data: Batch) -> bool:
    """Whether the network can be run for two clients at once."""
    rows = torch.zeros(2, 2, dtype=torch.int64)
    weights = read(engine.net, engine.layout).repeat(2, 1)
    shares = torch.full((2, 2), 0.5, device=weights.device, dtype=weights.dtype)
    try:
        engine.move(weights, Move(take(data.x, rows), data.y[rows], shares, 0.0, None))
    except RuntimeError:
        return False
    return True
