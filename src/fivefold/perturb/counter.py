"""Random numbers that depend on a seed and a place alone, after Salmon et al. (2011), "Parallel Random Numbers".

An example gets the same numbers in whatever batch, order or company it is treated.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

LOW_32 = 0xFFFFFFFF
GOLDEN = 0x9E3779B9


def uniform(
    seed: int, place: Int[Tensor, " batch"], turn: int, width: int
) -> Float[Tensor, "batch width"]:
    """Return numbers in [0, 1), a function of `seed`, the example's `place`, `turn` and the column."""
    state = torch.full_like(place, seed & LOW_32)
    for key in (seed >> 32, place, turn):
        state = _mixed(state * GOLDEN + key + 1)
    columns = GOLDEN * torch.arange(1, width + 1, device=place.device)
    return (
        _mixed(state[:, None] + columns) >> 8
    ).float() / 2**24  # a float32 holds 24 bits exactly


def _mixed(state: Int[Tensor, "..."]) -> Int[Tensor, "..."]:
    """Return 32 bits in which every bit of `state` changes half of the others."""
    state = state & LOW_32
    state = ((state ^ (state >> 16)) * 0x7FEB352D) & LOW_32
    state = ((state ^ (state >> 15)) * 0x846CA68B) & LOW_32
    return state ^ (state >> 16)
