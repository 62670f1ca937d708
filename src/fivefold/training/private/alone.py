"""Each example by itself: slower, and right for whatever a network or a loss does across a batch."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from fivefold.core.data import Batch, Inputs
from fivefold.core.loss import Loss
from fivefold.training.private.kinds import Use
from fivefold.training.private.use import Direct

MOST_NUMBERS = 2**25  # numbers in the per-example gradients of one piece of a batch: 128 MiB
Weights: TypeAlias = Mapping[str, Tensor]


def pieces(batch: Batch, weights: Weights) -> Iterator[Batch]:
    """Yield parts of `batch` that are small enough to hold a gradient for each example."""
    size = max(1, MOST_NUMBERS // max(1, sum(w.numel() for w in weights.values())))
    for start in range(0, batch.size, size):
        yield batch.take(slice(start, start + size))


def uses_of(net: nn.Module, weights: Weights, batch: Batch, loss: Loss) -> dict[str, Use]:
    """Return the gradients of each example, by `vmap` if the network allows it and else in a loop."""
    try:
        found = _together(net, weights, batch, loss)
    except RuntimeError:  # an operation that vmap does not know, or one that depends on values
        found = looped(net, weights, batch, loss)
    return {name: Direct(gradient) for name, gradient in found.items()}


def looped(net: nn.Module, weights: Weights, batch: Batch, loss: Loss) -> dict[str, Tensor]:
    """Return the gradient of each example's loss, `(batch, *weight)` by name: a backward pass for each."""
    found: list[tuple[Tensor, ...]] = []
    for i in range(batch.size):
        value = loss(net, batch.take(slice(i, i + 1))).sum()
        slopes = (
            torch.autograd.grad(value, [*weights.values()], allow_unused=True)
            if value.requires_grad
            else [None] * len(weights)
        )
        found.append(
            tuple(
                torch.zeros_like(w) if s is None else s
                for s, w in zip(slopes, weights.values(), strict=True)
            )
        )
    return {n: torch.stack(g) for n, g in zip(weights, zip(*found, strict=True), strict=True)}


def _together(net: nn.Module, weights: Weights, batch: Batch, loss: Loss) -> dict[str, Tensor]:
    plain = {n: w.detach() for n, w in weights.items()}
    places = _places(net, plain)

    def alone(weights: dict[str, Tensor], x: Inputs, y: Tensor) -> Tensor:
        put = {place: weights[name] for place, name in places.items()}

        def forward(given: Inputs) -> Tensor:
            return functional_call(net, put, (given,), tie_weights=False)

        return loss(forward, Batch(_with_axis(x), y[None])).sum()

    x = batch.x if isinstance(batch.x, Tensor) else dict(batch.x)
    each = vmap(grad(alone), in_dims=(None, 0, 0), randomness="different")
    return each(plain, x, batch.y)


def _places(net: nn.Module, weights: Weights) -> dict[str, str]:
    """Return each place that holds a trainable weight, with the name of the weight.

    A weight may be tied to several places, and a layer may be used under several names; `functional_call`
    loses track of the latter, so each layer is named once here and ties are put in by hand.
    """
    names = {id(p): n for n, p in net.named_parameters() if n in weights}
    return {
        f"{layer_name}.{n}".lstrip("."): names[id(p)]
        for layer_name, layer in net.named_modules()
        for n, p in layer.named_parameters(recurse=False, remove_duplicate=False)
        if id(p) in names
    }


def _with_axis(x: Inputs) -> Inputs:
    return x[None] if isinstance(x, Tensor) else {k: v[None] for k, v in x.items()}
