"""The uses of every weight in one forward and one backward pass over a batch."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from fivefold.core.data import Batch
from fivefold.core.loss import Loss
from fivefold.training.private import lookup, use
from fivefold.training.private.kinds import Use
from fivefold.training.private.layers import LAYERS
from fivefold.training.private.layout import Layout
from fivefold.training.private.lookup import Lookup, Tied
from fivefold.training.private.normalized import NORMALIZED
from fivefold.training.private.recurrent import RECURRENT
from fivefold.training.private.spread import SPREAD
from fivefold.training.private.tap import Tap, Tracked
from fivefold.training.private.untracked import not_separate, untracked
from fivefold.training.private.use import Direct, Product
from fivefold.training.private.watch import Watch

RULES = {**LAYERS, **NORMALIZED, **RECURRENT, **SPREAD}


def layout_of(net: nn.Module, weights: Mapping[str, Tensor], three: Batch, loss: Loss) -> Layout:
    """Return where the examples are in every call, found by running two and three examples."""
    runs = []
    for rows in ([0, 1], [0, 1, 2], [2, 1, 0]):
        batch = three.take(torch.tensor(rows, device=three.y.device))
        with Watch(weights) as watch:
            losses = loss(net, batch)
        if losses.shape != (batch.size,):
            raise not_separate("the loss")
        runs.append(watch.calls)
    return Layout(*runs)


def uses_of(
    net: nn.Module, weights: Mapping[str, Tensor], batch: Batch, loss: Loss, layout: Layout
) -> dict[str, Use]:
    """Return the one use of each weight that had any; leave `.grad` empty.

    Raises:
        Untracked: A gradient went a way that was not seen.
    """
    for weight in weights.values():
        weight.grad = None
    tap = Tap(weights, layout, batch.size, RULES)
    try:
        with tap:
            losses = loss(net, batch)
        if losses.shape != (batch.size,):
            raise not_separate("the loss")
        tap.is_backward = True
        if losses.requires_grad:
            _run_back(losses)
    finally:
        tap.let_go()
        _check(weights)
    with torch.no_grad():
        found = {t.name: [*t.uses] for t in tap.tracked.values() if t.name in weights}
    _pull_back(tap, weights, found)
    with torch.no_grad():
        return {n: _one(u, weights[n].shape) for n, u in found.items() if u}


def _run_back(losses: Tensor) -> None:
    try:
        torch.autograd.backward(losses.sum())
    except RuntimeError as error:  # layers that are computed again and now go another way
        raise not_separate("the backward pass") from error


def _check(weights: Mapping[str, Tensor]) -> None:
    strays = [name for name, weight in weights.items() if weight.grad is not None]
    for name in strays:
        weights[name].grad = None
    if strays:
        raise untracked("the network", strays[0])


def _pull_back(tap: Tap, weights: Mapping[str, Tensor], found: dict[str, list[Use]]) -> None:
    """Turn the uses of what was made of weights into uses of those weights."""
    for one in tap.tracked.values():
        if one.name in weights or not one.uses:
            continue
        with torch.no_grad():
            slopes = _one(one.uses, one.tensor.shape).gradients
        parts = _parts(one, slopes.reshape(-1, *one.tensor.shape), [*weights.values()])
        for name, part in zip(weights, parts, strict=True):
            if part is not None:
                found[name].append(Direct(part))


def _parts(one: Tracked, slopes: Tensor, weights: Sequence[Tensor]) -> Sequence[Tensor | None]:
    return torch.autograd.grad(
        one.graph, weights, slopes, retain_graph=True, allow_unused=True, is_grads_batched=True
    )


def _one(uses: Sequence[Use], shape: torch.Size) -> Use:
    """Return several uses of one weight as one, with the terms between them."""
    if len(uses) == 1:
        return uses[0]
    products = [u for u in uses if isinstance(u, Product)]
    lookups = [u for u in uses if isinstance(u, Lookup)]
    if len(products) + len(lookups) < len(uses):
        return Direct(torch.stack([u.gradients.reshape(-1, *shape) for u in uses]).sum(0))
    if not lookups:
        return use.joined(products)
    if not products:
        return lookup.joined(lookups)
    return Tied(lookup.joined(lookups), use.joined(products))
