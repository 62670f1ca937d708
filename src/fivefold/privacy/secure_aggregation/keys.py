"""Keys that two clients agree on without ever sending them: X25519 (RFC 7748), then HKDF-SHA256 (RFC 5869).

Every key is bound to its purpose, its round, and the numbers and public keys of both sides, so that no key
serves twice.
"""

import secrets
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from fivefold.core.errors import Damaged

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

KEY_BYTES = 32
LABEL = b"fivefold secure aggregation 1"
SHARES, PAIR, OWN, COMMITMENT = b"shares", b"pair", b"own", b"commitment"  # purposes


class Party(NamedTuple):
    """A client and the public key that it uses for one purpose."""

    client: int
    public: bytes


@dataclass(frozen=True)
class KeyPair:
    """A private key and the public key that follows from it.

    Attributes:
        private: 32 bytes; never shown.
    """

    private: bytes = field(repr=False)

    @cached_property
    def key(self) -> "X25519PrivateKey":
        """The private key, ready to be used."""
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        return X25519PrivateKey.from_private_bytes(self.private)

    @cached_property
    def public(self) -> bytes:
        """The public key: 32 bytes."""
        return self.key.public_key().public_bytes_raw()


def fresh_pair() -> KeyPair:
    """Return keys from the operating system's randomness."""
    return KeyPair(secrets.token_bytes(KEY_BYTES))


def agreed(own: KeyPair, number: int, peer: Party, purpose: bytes, context: bytes) -> bytes:
    """Return the key of client `number`, which owns a pair, and a peer: the same on both sides.

    Raises:
        Damaged: The public key of the peer is none.
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    try:
        common = own.key.exchange(X25519PublicKey.from_public_bytes(peer.public))
    except ValueError as error:
        raise not_sent_by(peer.client) from error
    sides = sorted((Party(number, own.public), peer))
    both = b"".join(_number(p.client) + p.public for p in sides)
    return derived(common, purpose, context, both)


def own_key(seed: bytes, client: int, context: bytes) -> bytes:
    """Return the key of the mask that a client makes by itself."""
    return derived(seed, OWN, context, _number(client))


def commitment(seed: bytes, client: int, context: bytes) -> bytes:
    """Return what tells a recovered seed from a wrong one, and nothing about a seed of 256 random bits."""
    return derived(seed, COMMITMENT, context, _number(client))


def derived(secret: bytes, purpose: bytes, context: bytes, parties: bytes) -> bytes:
    """Return 32 bytes by HKDF. Each part of `info` has a length, so that no two ways to fill it coincide."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    info = b"".join(_number(len(p)) + p for p in (LABEL, purpose, context, parties))
    return HKDF(SHA256(), KEY_BYTES, None, info).derive(secret)


def not_sent_by(client: int) -> Damaged:
    """Return the error for a message that somebody changed."""
    return Damaged(
        "What came from client {client} is not what it has sent.",
        mend="Start the round anew without it.",
        client=client,
    )


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")
