"""The slow twin of private training: one backward pass per example, clipped by hand."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from fivefold.core.data import Batch
from fivefold.core.loss import cross_entropy
from fivefold.training.private import book
from fivefold.training.private.clipping import BELOW_ONE, Flat
from fivefold.training.private.engine import Engine


class Net(nn.Module):
    """Layers and what is done with them."""

    def __init__(self, run: Callable[[Any, Any], Tensor], **layers: Any) -> None:
        super().__init__()
        self.run = run
        for name, layer in layers.items():
            setattr(self, name, layer)

    def __getattr__(self, name: str) -> Any:
        return super().__getattr__(name)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def trainable(net: nn.Module) -> dict[str, nn.Parameter]:
    return {n: p for n, p in net.named_parameters() if p.requires_grad}


def each(net, batch, loss=cross_entropy) -> dict[str, Tensor]:
    """Return the gradient of every example, `(batch, *weight)` by name."""
    weights, found = trainable(net), []
    for i in range(batch.size):
        value = loss(net, batch.take(slice(i, i + 1))).sum()
        slopes: Any = torch.autograd.grad(value, [*weights.values()], allow_unused=True)
        found.append(
            [
                torch.zeros_like(w) if s is None else s
                for s, w in zip(slopes, weights.values(), strict=True)
            ]
        )
    return {n: torch.stack(g) for n, g in zip(weights, zip(*found, strict=True), strict=True)}


def norms(gradients: dict[str, Tensor]) -> Tensor:
    return torch.stack([g.reshape(len(g), -1).norm(dim=1) for g in gradients.values()]).norm(dim=0)


def clipped(gradients: dict[str, Tensor], clip_norm: float) -> dict[str, Tensor]:
    """Return the sum over examples of `g * min(1, clip_norm / |g|)`."""
    factor = (clip_norm * BELOW_ONE / norms(gradients)).clamp(max=1.0)
    return {n: torch.tensordot(factor, g, dims=1) for n, g in gradients.items()}


def distance(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    return float(torch.stack([(a[n] - b[n]).double().norm() for n in b]).norm())


def engine_sum(net, batch, clip_norm=0.5, loss=cross_entropy, **given: Any) -> dict[str, Tensor]:
    given = {"method": "together", **given}
    return Engine(**given).total(net, batch, loss, Flat(), clip_norm)


def engine_norms(net, batch, loss=cross_entropy) -> Tensor:
    weights = trainable(net)
    layout = book.layout_of(net, weights, batch.take(slice(0, 3)), loss)
    uses = book.uses_of(net, weights, batch, loss, layout)
    return torch.stack([u.squares for u in uses.values()]).sum(0).sqrt()


def check(net, batch: Batch, loss=cross_entropy, rel: float = 1e-9, clip_norm: float = 0.5) -> None:
    """Compare norms and clipped sums with the loop."""
    truth = each(net, batch, loss)
    right = norms(truth)
    assert float(((engine_norms(net, batch, loss) - right).abs() / right).max()) < rel
    ours = engine_sum(net, batch, clip_norm, loss)
    assert ours.keys() == truth.keys()
    assert distance(ours, clipped(truth, clip_norm)) < rel * clip_norm * batch.size
