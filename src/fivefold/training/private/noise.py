"""Gaussian noise (Box and Muller, 1958) from AES in counter mode, keyed anew for every batch.

Whoever sees noisy sums learns nothing of the noise to come: each key is used once, and the generator that
keys are drawn from is never shown. Radii have 52 random bits, so that the noise has no coarse grid, which
would betray what it is added to, and ends at 8.5 deviations, which happens once in 10^16.
"""

from collections.abc import Iterator
from math import pi

import torch
from jaxtyping import Float
from torch import Generator, Tensor

PIECE = 2**16  # numbers made at once: they stay in the cache
RADIUS_BYTES, ANGLE_BYTES = 8, 4
MANTISSA, ONE = (
    2**52 - 1,
    1023 << 52,
)  # of a float64: random digits behind a one are uniform in [1, 2)


def noised(x: Float[Tensor, " number"], deviation: float, rng: Generator) -> Tensor:
    """Return `x` plus noise, added in float64 and rounded once."""
    out = torch.empty_like(x)
    start = 0
    for noise in normals(len(x), rng):
        end = start + len(noise)
        torch.add(x[start:end], noise.to(x.device).mul_(deviation), out=out[start:end])
        start = end
    return out


def normals(n: int, rng: Generator) -> Iterator[Float[Tensor, " number"]]:
    """Yield `n` independent standard normal numbers in pieces, in float64."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    key = torch.empty(8, dtype=torch.int64).random_(2**32, generator=rng).int().numpy().tobytes()
    stream = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor()
    size = PIECE // 2 * (RADIUS_BYTES + ANGLE_BYTES)
    empty, drawn = bytes(size), bytearray(size + 16)
    for left in range(n, 0, -PIECE):
        pairs = (min(left, PIECE) + 1) // 2
        n_bytes = pairs * (RADIUS_BYTES + ANGLE_BYTES)
        stream.update_into(memoryview(empty)[:n_bytes], drawn)
        yield _box_muller(drawn, pairs)[: min(left, PIECE)]


def _box_muller(drawn: bytearray, pairs: int) -> Tensor:
    """Return normal numbers: products of two float32, which float64 holds exactly, so none is rounded."""
    bits = torch.frombuffer(drawn, dtype=torch.int64, count=pairs)
    uniform = bits.bitwise_and_(MANTISSA).bitwise_or_(ONE).view(torch.float64).sub_(2)
    radius = uniform.neg_().log_().float().mul_(-2).sqrt_().double()
    offset = pairs * RADIUS_BYTES
    turns = torch.frombuffer(drawn, dtype=torch.int32, count=pairs, offset=offset)
    angle = turns.float().mul_(pi / 2**31)
    made = torch.empty(2 * pairs, dtype=torch.float64)
    made[:pairs], made[pairs:] = angle.cos(), angle.sin_()
    return made.view(2, pairs).mul_(radius).flatten()
