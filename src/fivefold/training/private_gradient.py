"""DP-SGD (Abadi et al., 2016): each example's gradient is clipped, their sum is noised, then divided.

The privacy of everything built on this rests on one fact: adding or removing one example, whatever it
holds, moves the sum by at most `clip_norm`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor, nn

from fivefold.core.data import Batch
from fivefold.core.loss import Loss
from fivefold.training.private.clipping import Clipping, Flat
from fivefold.training.private.engine import Engine, Weights
from fivefold.training.private.noise import noised
from fivefold.training.private.quantile import MovingNorm
from fivefold.training.private.views import over_views, stacked


@dataclass(frozen=True, kw_only=True)
class ClippedNoisy:
    """A gradient rule for `fit`: the noisy mean of clipped per-example gradients.

    Attributes:
        clip_norm: Largest L2 norm that one example may contribute, over all trainable weights.
        noise_multiplier: Standard deviation of the noise on the sum, in units of `clip_norm`.
        expected_size: What the noisy sum is divided by. It is public, so it is the expected size of a
            batch and never the size drawn.
        noise: Source of the noise, used for nothing else.
        clipping: How gradients are brought to that norm.
        moving: A norm that changes from batch to batch and takes the place of `clip_norm`; None for that.
        views: How often each example is looked at; its gradient is the mean over its views.
        change: Makes a view of the inputs of a batch, differently each time; None leaves them as they are.
        engine: How gradients of single examples are found, and what was learned on the way.
    """

    clip_norm: float
    noise_multiplier: float
    expected_size: float
    noise: Generator
    clipping: Clipping = Flat()
    moving: MovingNorm | None = None
    views: int = 1
    change: Callable[[Any], Any] | None = None
    engine: Engine = field(default_factory=Engine, compare=False)

    def __call__(self, net: nn.Module, batch: Batch, loss: Loss) -> Tensor:
        """Fill `.grad`; return NaN, because the loss of a batch is not private and must not be shown.

        Raises:
            BadInput: A layer mixes the examples of a batch.
        """
        if self.change is not None:
            batch = stacked(batch, self.views, self.change)
        if self.change is not None or batch.y.dim() > 1:  # several views, or examples of one user
            loss = over_views(loss)
        clip_norm = self.clip_norm if self.moving is None else self.moving.norm
        total, excess = self.engine.clipped(net, batch, loss, self.clipping, clip_norm)
        weights = {n: w for n, w in net.named_parameters() if n in total}
        if weights:
            flat = self._noised(torch.cat([total[n].flatten() for n in weights]), clip_norm)
            sizes = [w.numel() for w in weights.values()]
            for weight, part in zip(weights.values(), flat.split(sizes), strict=True):
                weight.grad = part.view(weight.shape).to(weight)
        if self.moving is not None:
            self.moving.follow(excess, self.noise)
        return torch.tensor(torch.nan)

    def _noised(self, total: Tensor, clip_norm: float) -> Tensor:
        if self.noise_multiplier:
            total = noised(total, self.noise_multiplier * clip_norm, self.noise)
        return total.div_(self.expected_size)


def clipped_sum(net: nn.Module, batch: Batch, loss: Loss, clip_norm: float) -> Weights:
    """Return the sum of clipped per-example gradients of each trainable weight, by name.

    An example with a gradient that is not finite contributes nothing. An empty batch sums to zero.

    Raises:
        BadInput: A layer mixes the examples of a batch.
    """
    return Engine().total(net, batch, loss, Flat(), clip_norm)
