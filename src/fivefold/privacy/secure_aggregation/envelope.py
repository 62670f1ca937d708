"""Shares sealed from one client to another by AES-256-GCM (NIST SP 800-38D): the server only carries them."""

import secrets

from fivefold.privacy.secure_aggregation.keys import not_sent_by
from fivefold.privacy.secure_aggregation.shamir import SHARE_BYTES

NONCE_BYTES, TAG_BYTES = 12, 16
SEALED_BYTES = NONCE_BYTES + 2 * SHARE_BYTES + TAG_BYTES


def seal(key: bytes, plain: bytes, sender: int, receiver: int) -> bytes:
    """Return `plain` sealed under a key that both share; a key seals one message each way."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, _route(sender, receiver))


def opened(key: bytes, sealed: bytes, sender: int, receiver: int) -> bytes:
    """Return what was sealed.

    Raises:
        Damaged: A bit differs, or it was meant for somebody else.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce, body = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        return AESGCM(key).decrypt(nonce, body, _route(sender, receiver))
    except (InvalidTag, ValueError) as error:
        raise not_sent_by(sender) from error


def _route(sender: int, receiver: int) -> bytes:
    return sender.to_bytes(8, "big") + receiver.to_bytes(8, "big")
