"""Randomness that nobody can guess.

A guarantee holds against whoever does not know the noise. A seed in a recipe is public, and torch's CPU
generator keeps only 32 bits of any seed: few enough to try them all.
"""

import secrets

import torch
from torch import Generator

STATE_BYTES = 5056  # the layout of torch's Mersenne Twister: header, 624 words, a cached normal
FIRST_WORD = 24
N_WORDS = 624


def secret_generator() -> Generator:
    """Return a generator whose whole state, and not only its seed, comes from the operating system.

    It is not a cryptographic generator: it protects against guessing the state, and what it makes is
    never shown raw, only added to sums or used to choose rows.
    """
    made = Generator()
    state = made.get_state()
    assert len(state) == STATE_BYTES, "torch has changed the layout of its generator"
    drawn = bytearray(secrets.token_bytes(4 * N_WORDS))
    words = torch.frombuffer(drawn, dtype=torch.int32).long() & 0xFFFFFFFF
    state[FIRST_WORD : FIRST_WORD + 8 * N_WORDS] = words.view(torch.uint8)
    return made.set_state(state)
