"""Secrets shared so that enough shares give them back and fewer say nothing (Shamir, 1979)."""

import secrets
from collections.abc import Mapping, Sequence
from functools import lru_cache

from fivefold.core.errors import Damaged

PRIME = 2**256 + 297  # the smallest prime above 2^256: any 32 bytes are one number of the field
SECRET_BYTES, SHARE_BYTES = 32, 33


def split(secret: bytes, n: int, least: int) -> list[bytes]:
    """Return the shares of the places 1, ..., `n`.

    Args:
        secret: 32 bytes.
        n: Number of shares.
        least: How many of them give the secret back; fewer are independent of it.
    """
    assert len(secret) == SECRET_BYTES
    assert 1 <= least <= n
    terms = [secrets.randbelow(PRIME) for _ in range(least - 1)]
    constant = int.from_bytes(secret, "big")
    return [
        ((_horner(terms, place) + constant) % PRIME).to_bytes(SHARE_BYTES, "big")
        for place in range(1, n + 1)
    ]


def joined(shares: Mapping[int, bytes]) -> bytes:
    """Return the secret of exactly as many shares as are needed, each under its place.

    Raises:
        Damaged: They are no shares of 32 bytes. Shares that were changed may also give a wrong secret: the
            caller must check what comes out.
    """
    weights = _at_zero(tuple(shares))
    values = [int.from_bytes(s, "big") for s in shares.values()]
    secret = sum(w * v for w, v in zip(weights, values, strict=True)) % PRIME
    if secret >= 2 ** (8 * SECRET_BYTES) or any(v >= PRIME for v in values):
        raise Damaged("These shares belong to no secret.", mend="Start the round anew.")
    return secret.to_bytes(SECRET_BYTES, "big")


def _horner(terms: Sequence[int], place: int) -> int:
    """Return the polynomial without its constant at `place`."""
    total = 0
    for term in terms:
        total = (total + term) * place % PRIME
    return total


@lru_cache(maxsize=64)
def _at_zero(places: tuple[int, ...]) -> tuple[int, ...]:
    """Return what each share counts in the value at zero (Lagrange): the same for all secrets of a round."""
    weights: list[int] = []
    for own in places:
        above, below = 1, 1
        for other in places:
            if other != own:
                above = above * other % PRIME
                below = below * (other - own) % PRIME
        weights.append(above * pow(below, -1, PRIME) % PRIME)
    return tuple(weights)
