"""Randomness is an argument. These make one generator from another; nothing touches global state."""

from collections.abc import Generator as Yields
from contextlib import contextmanager

import torch
from torch import Generator


def fresh_seed(rng: Generator) -> int:
    """Return a seed drawn from `rng`."""
    return int(torch.randint(2**62, (), generator=rng))


def spawn(rng: Generator) -> Generator:
    """Return an independent generator seeded by `rng`."""
    return Generator().manual_seed(fresh_seed(rng))


@contextmanager
def drawing_from(rng: Generator) -> Yields[None]:
    """Let layers that draw from torch's own generator, such as dropout, draw from `rng` within the block.

    Afterwards torch's own generators, those of graphics cards too, are as they were. `rng` itself is read
    but for a card's seed, so use it for nothing else.
    """
    cards = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices=cards):
        torch.random.set_rng_state(rng.get_state())
        if cards:
            torch.cuda.manual_seed_all(fresh_seed(rng))
        yield
