"""Signatures with Ed25519 (Bernstein et al., 2011; RFC 8032), on keys of one's own, without a network."""

import hashlib
import os
import stat
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fivefold.core.atomic import naming, sweep, sync_folder, write_atomic
from fivefold.core.errors import BadInput, Damaged

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

CONTEXT = b"fivefold signature v1\n"  # a signature made here can mean nothing elsewhere


class Signature(NamedTuple):
    """Who signed, and the proof; both raw bytes in hexadecimal."""

    public_key: str
    signature: str


def make_keys(private: Path) -> Path:
    """Write a new private key, which only its owner can read, and its public half beside it; both PEM.

    Returns:
        The file of the public key: `NAME.pub.pem` for `NAME.pem`.

    Raises:
        BadInput: One of them exists; a key is never overwritten.
    """
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = _public_of(private)
    for path in (private, public):
        if path.exists() or path.is_symlink():
            raise BadInput(
                "A key is already there.", where=str(path), mend="Choose another name or folder."
            )
    private.parent.mkdir(parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    _write_secret(private, secret)
    _write_public(public, key)
    return public


def sign(content: bytes, private: Path) -> Signature:
    """Return a signature over `content` with the key in the file `private`.

    If its public half is not beside it, as after `make_keys` was cut short, it is written.

    Raises:
        BadInput: The file is not an Ed25519 key, or others than its owner can read it.
    """
    key = _private_key(private)
    public = _public_of(private)
    if not (public.exists() or public.is_symlink()):
        with suppress(OSError):  # a folder that nobody can write keeps nobody from signing
            _write_public(public, key)
    return Signature(key.public_key().public_bytes_raw().hex(), key.sign(CONTEXT + content).hex())


def verify(content: bytes, signature: Signature, *, where: str) -> None:
    """Check that whoever holds the key named in `signature` has signed exactly `content`.

    This says nothing about who that is: compare `signature.public_key` with `read_public_key`.

    Raises:
        Damaged: The signature does not belong to this content.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(_raw(signature.public_key))
        key.verify(_raw(signature.signature), CONTEXT + content)
    except (InvalidSignature, ValueError) as error:
        raise Damaged(
            "The signature does not belong to this content.",
            where=where,
            mend="Get the folder again from its source.",
        ) from error


def read_public_key(path: Path) -> str:
    """Return the key in the file `path`, raw bytes in hexadecimal.

    Raises:
        BadInput: It is not the public half of an Ed25519 key.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(_content(path))
    except Exception as error:  # the library raises many kinds
        raise _bad_key(path) from error
    if not isinstance(key, Ed25519PublicKey):
        raise _bad_key(path)
    return key.public_bytes_raw().hex()


def short_name(public_key: str) -> str:
    """Return a name for a key that a person can compare: 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(bytes.fromhex(public_key)).hexdigest()[:16]


def _raw(told: str) -> bytes:
    """Return the bytes behind the one way to write them in hexadecimal.

    Raises:
        ValueError: Capitals or blanks: another spelling would be a change that nobody notices.
    """
    raw = bytes.fromhex(told)
    if raw.hex() != told:
        raise ValueError("not in lower case")
    return raw


def _private_key(path: Path) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    told = _content(path)
    sweep(path.parent.glob(f".{escape(path.name)}.*.part"))  # a copy of it that a failure has left
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise BadInput(
            "Others can read this private key.",
            where=str(path),
            mend="Run: chmod 600 {path}",
            path=str(path),
        )
    try:
        key = load_pem_private_key(told, password=None)
    except Exception as error:  # the library raises many kinds
        raise _bad_key(path) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _bad_key(path)
    return key


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise BadInput("There is no key here.", where=str(path), mend="Check the path.")
    return path.read_bytes()[:10_000]


def _public_of(private: Path) -> Path:
    return private.with_suffix(".pub.pem")


def _write_public(path: Path, key: "Ed25519PrivateKey") -> None:
    from cryptography.hazmat.primitives import serialization as form

    public = key.public_key()
    write_atomic(
        path, public.public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    )


def _write_secret(path: Path, secret: bytes) -> None:
    """Write a whole new file that was never readable by anybody else, not even for a moment."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file, naming(path):
            file.write(secret)
            file.flush()
            os.fsync(handle)
        path.hardlink_to(
            part
        )  # unlike a replacement, this fails if somebody else has just made a key
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


def _bad_key(path: Path) -> BadInput:
    return BadInput(
        "This is not an Ed25519 key in PEM form.",
        where=str(path),
        mend="Make one with security.make_keys.",
    )
