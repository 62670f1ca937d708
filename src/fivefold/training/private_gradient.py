"""DP-SGD (Abadi et al., 2016): each example's gradient is clipped, their sum is noised, then divided.

The privacy of everything built on this rests on one fact: adding or removing one example, whatever it
holds, moves the sum by at most `clip_norm`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.func import functional_call, grad, vmap

from fivefold.core.data import Batch, Inputs
from fivefold.core.errors import BadInput
from fivefold.core.loss import Loss

Weights: TypeAlias = dict[str, Tensor]
MOST_NUMBERS = 2**25  # numbers in the per-example gradients of one piece of a batch: 128 MiB
BELOW_ONE = 1 - 1e-6  # rounding must not lift a clipped gradient above the norm that was paid for


@dataclass(frozen=True, kw_only=True)
class ClippedNoisy:
    """A gradient rule for `fit`: the noisy mean of clipped per-example gradients.

    Attributes:
        clip_norm: Largest L2 norm that one example may contribute, over all trainable weights.
        noise_multiplier: Standard deviation of the noise on the sum, in units of `clip_norm`.
        expected_size: What the noisy sum is divided by. It is public, so it is the expected size of a
            batch and never the size drawn.
        noise: Source of the noise, used for nothing else.
    """

    clip_norm: float
    noise_multiplier: float
    expected_size: float
    noise: Generator

    def __call__(self, net: nn.Module, batch: Batch, loss: Loss) -> Tensor:
        """Fill `.grad`; return NaN, because the loss of a batch is not private and must not be shown.

        Raises:
            BadInput: A layer mixes the examples of a batch.
        """
        total = clipped_sum(net, batch, loss, self.clip_norm)
        for name, weight in net.named_parameters():
            if name in total:
                noisy = self._noised(total[name]) / self.expected_size
                weight.grad = noisy.to(weight)
        return torch.tensor(torch.nan)

    def _noised(self, total: Tensor) -> Tensor:
        """Add the noise in float64: in float32 it has a coarse grid and ends at 5.8 deviations."""
        if self.noise_multiplier == 0:
            return total.double()
        drawn = torch.randn(total.shape, generator=self.noise, dtype=torch.float64)
        return total.double() + drawn.to(total.device) * (self.noise_multiplier * self.clip_norm)


def clipped_sum(net: nn.Module, batch: Batch, loss: Loss, clip_norm: float) -> Weights:
    """Return the sum of clipped per-example gradients of each trainable weight, by name.

    Each example is run alone, so whatever a layer or a loss does across a batch cannot reach another
    example. An example with a gradient that is not finite contributes nothing. An empty batch sums to
    zero.

    Raises:
        BadInput: A layer mixes the examples of a batch.
    """
    refuse_mixing(net)
    weights = {n: p.detach() for n, p in net.named_parameters() if p.requires_grad}
    total = {n: torch.zeros_like(p) for n, p in weights.items()}
    size = max(1, MOST_NUMBERS // max(1, sum(p.numel() for p in weights.values())))
    for start in range(0, batch.size if weights else 0, size):
        piece = batch.take(slice(start, start + size))
        for name, part in _clipped(_per_example(net, weights, piece, loss), clip_norm).items():
            total[name] += part
    return total


def refuse_mixing(net: nn.Module) -> None:
    """Check that no layer learns statistics of a batch.

    Raises:
        BadInput: One does.
    """
    for name, layer in net.named_modules():
        if getattr(layer, "track_running_stats", False):
            raise BadInput(
                "{layer} learns from all the examples of a batch at once, so the share of one example cannot be bounded.",
                where=name,
                mend="Use GroupNorm or LayerNorm instead.",
                layer=type(layer).__name__,
            )


def _per_example(net: nn.Module, weights: Weights, batch: Batch, loss: Loss) -> Weights:
    """Return the gradient of each example's loss: `(batch, *weight)` by name."""
    places = _places(net, weights)

    def alone(weights: Weights, x: Inputs, y: Tensor) -> Tensor:
        put = {place: weights[name] for place, name in places.items()}

        def forward(given: Inputs) -> Tensor:
            return functional_call(net, put, (given,), tie_weights=False)

        return loss(forward, Batch(_with_axis(x), y[None])).sum()

    x = batch.x if isinstance(batch.x, Tensor) else dict(batch.x)
    return vmap(grad(alone), in_dims=(None, 0, 0))(weights, x, batch.y)


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


def _clipped(gradients: Mapping[str, Tensor], clip_norm: float) -> Weights:
    """Return the sum over examples of `g * min(1, clip_norm / |g|)`."""
    norm = _norms(gradients)
    factor = (clip_norm * BELOW_ONE / norm).clamp(max=1.0)
    factor = torch.where(norm.isfinite(), factor, 0.0)
    return {n: _weighted_sum(g, factor) for n, g in gradients.items()}


def _norms(gradients: Mapping[str, Tensor]) -> Float[Tensor, " batch"]:
    """Return each example's norm over all weights, in float64 so that no finite float32 overflows."""
    parts = [
        torch.linalg.vector_norm(g.flatten(1), dim=1, dtype=torch.float64)
        for g in gradients.values()
    ]
    return torch.linalg.vector_norm(torch.stack(parts), dim=0)


def _weighted_sum(gradient: Tensor, factor: Float[Tensor, " batch"]) -> Tensor:
    nothing = factor == 0
    if nothing.any():  # an infinite or undefined gradient times zero is not zero
        gradient = gradient.masked_fill(nothing.view(-1, *[1] * (gradient.dim() - 1)), 0.0)
    return torch.tensordot(factor.to(gradient.dtype), gradient, dims=1)
