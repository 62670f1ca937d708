"""Real numbers as whole steps in Z_2^32 or Z_2^64, so that masked sums are exact and never overflow."""

from dataclasses import dataclass
from math import frexp, ldexp

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.errors import BadInput, BadRecipe
from fivefold.privacy.secure_aggregation.mask import Bits, Ring, dtype_of

FEWEST_LEVELS = 2**10  # fewer would be a coarse update
MOST_LEVELS = 2**52  # a float64 holds them all


@dataclass(frozen=True)
class FixedPoint:
    """A grid that all clients of a round share.

    Attributes:
        bits: Bits of a number.
        n_clients: How many clients are summed at most.
        largest: Largest absolute value that one client may send.
    """

    bits: Bits
    n_clients: int
    largest: float

    def __post_init__(self) -> None:
        if self.levels < FEWEST_LEVELS:
            raise BadRecipe(
                "Sums of {n} clients leave {levels} levels for each in {bits} bits.",
                where="secure.bits",
                mend="Use 64 bits, or fewer clients in a round.",
                n=self.n_clients,
                levels=self.levels,
                bits=self.bits,
            )

    @property
    def levels(self) -> int:
        """Largest whole number that one client may send: all of them together stay in the signed range."""
        return min((2 ** (self.bits - 1) - 1) // self.n_clients, MOST_LEVELS)

    @property
    def step(self) -> float:
        """Width of the grid, a power of two: rounding moves one client's number by half of it at most."""
        fraction, exponent = frexp(self.largest / self.levels)
        step = ldexp(1.0, exponent - (fraction == 0.5))
        assert round(self.largest / step) <= self.levels
        return step

    def encode(self, values: Float[Tensor, " weight"]) -> Ring:
        """Return whole steps, modulo 2^bits.

        Raises:
            BadInput: A value is larger than was agreed on, or is not finite.
        """
        wide = values.detach().cpu().double()
        reached = float(wide.abs().max()) if len(wide) else 0.0
        if not reached <= self.largest:
            raise BadInput(
                "An update reaches {reached}, and sums are only safe from overflow up to {largest}.",
                where="secure.largest",
                mend="Lower the clients' learning rate, or allow larger updates.",
                reached=reached,
                largest=self.largest,
            )
        whole = (wide / self.step).round_().long().numpy()
        return whole.astype(dtype_of(self.bits))

    def decode(self, total: Ring) -> Float[Tensor, " weight"]:
        """Return the sum of what was encoded."""
        signed = total.view(np.dtype(f"<i{self.bits // 8}")).astype(np.float64)
        return torch.from_numpy(signed * self.step)
