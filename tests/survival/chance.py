"""Random choices from a seed that a test prints."""

import sys
import zlib
from collections.abc import Sequence
from typing import TypeVar

import torch

from seeding import seeded

T = TypeVar("T")


class Chance:
    """Draws numbers; `seed` is written to the test's output, which pytest shows when it fails."""

    def __init__(self, seed: str) -> None:
        sys.stdout.write(f"seed {seed}\n")
        self.rng = seeded(zlib.crc32(seed.encode()))

    def below(self, high: int, low: int = 0) -> int:
        """Return a whole number from `low` to `high` - 1."""
        return int(torch.randint(low, high, (), generator=self.rng))

    def one_of(self, items: Sequence[T]) -> T:
        """Return one of them."""
        return items[self.below(len(items))]

    def seconds(self, low: float, high: float) -> float:
        """Return a time to wait."""
        return low + (high - low) * float(torch.rand((), generator=self.rng))
