"""A block that adds what it computes to what it was given (He et al., 2016)."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class Residual(nn.Module):
    """`relu(body(x) + shortcut(x))`; both put out the same shape."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel_out height_out width_out"]:
        """Return the sum, rectified."""
        return F.relu(self.body(x) + self.shortcut(x))
