"""Masks: the key stream of AES-256 in counter mode, added modulo 2^32 or 2^64 over the whole range."""

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Bits: TypeAlias = Literal[32, 64]
Ring: TypeAlias = NDArray[np.unsignedinteger[Any]]
PIECE = 2**16  # bytes made at once: they stay in the cache
_ZEROS = bytes(PIECE)


def dtype_of(bits: Bits) -> np.dtype[np.unsignedinteger[Any]]:
    """Return the numbers that are summed: little-endian on every machine."""
    return np.dtype("<u4") if bits == 32 else np.dtype("<u8")


def add_mask(total: Ring, key: bytes, *, negative: bool = False) -> None:
    """Add the mask of `key`, or its negative, to `total` in place. A key makes one mask only."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    stream = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor()
    drawn, zeros = bytearray(PIECE + 16), memoryview(_ZEROS)
    step = PIECE // total.itemsize
    combine = np.subtract if negative else np.add
    for start in range(0, len(total), step):
        part = total[start : start + step]
        stream.update_into(zeros[: part.nbytes], drawn)
        made = np.frombuffer(drawn, dtype=total.dtype, count=len(part))
        combine(part, made, out=part)
