"""Randomness is an argument. These make one generator from another; nothing touches global state."""

import torch
from torch import Generator


def fresh_seed(rng: Generator) -> int:
    """Return a seed drawn from `rng`."""
    return int(torch.randint(2**62, (), generator=rng))


def spawn(rng: Generator) -> Generator:
    """Return an independent generator seeded by `rng`."""
    return Generator().manual_seed(fresh_seed(rng))
