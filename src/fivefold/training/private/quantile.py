"""A clip norm that follows a quantile of the gradients' norms (Andrew et al., 2021, section 2.1).

Only how many examples lay within the norm is looked at, and that number is noised. Each example adds +1/2 to
it or takes 1/2 away, so it has the sensitivity 1/2, and it is paid for together with the gradient.
"""

from dataclasses import dataclass
from math import exp

import torch
from torch import Generator, Tensor

from fivefold.training.private.noise import noised

MOST = 1.0  # logarithm of the largest change in one batch: noise must not throw the norm out of the numbers


@dataclass(kw_only=True)
class MovingNorm:
    """A clip norm between two batches.

    It follows from noised numbers alone, so it may be kept and shown.

    Attributes:
        norm: The clip norm now.
        quantile: Share of the examples whose gradient shall be left as it is.
        pace: How fast the logarithm of the norm moves.
        count_noise: Standard deviation of the noise on the number of examples.
        expected_size: Examples of a batch, on average.
    """

    norm: float
    quantile: float
    pace: float
    count_noise: float
    expected_size: float

    def follow(self, excess: float, noise: Generator) -> None:
        """Move the norm after a batch.

        Args:
            excess: Half of what the examples within the norm outnumber the others by, of those drawn.
            noise: Source of the noise.
        """
        if self.count_noise:
            one = torch.tensor([excess], dtype=torch.float64)
            excess = float(noised(one, self.count_noise, noise))
        share = excess / self.expected_size + 0.5
        self.norm *= exp(max(-MOST, min(MOST, self.pace * (self.quantile - share))))

    def get_state(self) -> Tensor:
        """Return what must be kept to go on after an interruption."""
        return torch.tensor([self.norm], dtype=torch.float64)

    def set_state(self, state: Tensor) -> "MovingNorm":
        """Go back to what `get_state` returned."""
        self.norm = float(state)
        return self
