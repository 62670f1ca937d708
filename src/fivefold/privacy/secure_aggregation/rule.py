"""What all sides of a secure aggregation agree on beforehand."""

from dataclasses import dataclass
from math import ceil
from typing import Annotated

from annotated_types import Gt, Le

from fivefold.core.limits import Positive
from fivefold.privacy.secure_aggregation.fixed_point import FixedPoint
from fivefold.privacy.secure_aggregation.mask import Bits

ROUNDING = 1e-9
SMALLEST, LARGEST = 2.0**-100, 2.0**100


@dataclass(frozen=True, kw_only=True)
class SecureAggregation:
    """The server learns the sum of its clients' updates, and no single one of them.

    This holds against a server that follows the protocol and looks at all it receives, even together with
    clients, as long as these are fewer than the threshold; not against one that cheats, for which clients
    would need to check one another's signatures. The sum itself is not hidden, so whoever knows all other
    updates knows the last: of two clients, each knows the other's. Nor is who takes part, or what the
    trained weights reveal; for that see `ClientPrivacy`.

    Attributes:
        threshold: Share of a round's clients, rounded up, that must stay to the end, or the round has no
            result. Above one half, so that no two groups of clients can be told different stories.
        bits: Size of the numbers that are summed: 32 sends half as much as 64, and rounds more coarsely.
        largest: Largest absolute value in a client's update, which sets the grid it is rounded to. A
            larger one stops the run. With `ClientPrivacy` the clip norm takes its place.
    """

    threshold: Annotated[float, Gt(0.5), Le(1)] = 2 / 3
    bits: Bits = 32
    largest: Positive = 16.0

    def __post_init__(self) -> None:
        if not 0.5 < self.threshold <= 1:
            raise ValueError(
                "The threshold lies above one half and up to one: two groups of clients must not both reach it."
            )
        if self.bits not in (32, 64):
            raise ValueError("Sums have 32 or 64 bits.")
        if not SMALLEST <= self.largest <= LARGEST:
            raise ValueError("`largest` is a positive number of usual size.")

    def least(self, n_clients: int) -> int:
        """Return how many of `n_clients` that have sent their keys must stay to the end."""
        return max(2, n_clients // 2 + 1, ceil(self.threshold * n_clients - ROUNDING))

    def grid(self, n_clients: int, largest: float | None = None) -> FixedPoint:
        """Return the grid of a round with so many clients.

        Raises:
            BadRecipe: They are too many for the size of the numbers.
        """
        return FixedPoint(self.bits, n_clients, largest or self.largest)
