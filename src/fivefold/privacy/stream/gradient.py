"""DP-FTRL (Kairouz et al., 2021): clipped per-example gradients, and noise that is correlated over batches."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fivefold.core.data import Batch
from fivefold.core.loss import Loss
from fivefold.privacy.stream.noise import CorrelatedNoise
from fivefold.training.private_gradient import ClippedNoisy


@dataclass(frozen=True, kw_only=True)
class CorrelatedNoisy:
    """A gradient rule for `fit`: the mean of clipped per-example gradients, with correlated noise.

    Attributes:
        clipped: Finds the clipped sum; it adds no noise of its own.
        noise: The noise of this run.
        deviation: Standard deviation of the noise on the sum, before it is correlated.
        size: What the noisy sum is divided by: the public size of a full batch.
    """

    clipped: ClippedNoisy
    noise: CorrelatedNoise
    deviation: float
    size: int

    def __post_init__(self) -> None:
        if self.clipped.noise_multiplier or self.clipped.expected_size != 1:
            raise ValueError("The clipped sum must come without noise, and not be divided.")

    def __call__(self, net: nn.Module, batch: Batch, loss: Loss) -> Tensor:
        """Fill `.grad`; return NaN, because the loss of a batch is not private and must not be shown.

        Raises:
            BadInput: A layer mixes the examples of a batch.
        """
        shown = self.clipped(net, batch, loss)
        weights = [w for w in net.parameters() if w.requires_grad]
        sums = [w.grad for w in weights if w.grad is not None]
        assert len(sums) == len(weights), "the engine sums the gradients of every weight"
        flat = torch.cat([g.flatten() for g in sums])
        noisy = self.noise.noised(flat, self.deviation).div_(self.size)
        for weight, part in zip(weights, noisy.split([w.numel() for w in weights]), strict=True):
            weight.grad = part.view(weight.shape).to(weight)
        return shown
