"""Randomness of the tests."""

from torch import Generator


def seeded(seed: int = 0) -> Generator:
    """Return a generator that always draws the same."""
    return Generator().manual_seed(seed)
