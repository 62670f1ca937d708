"""Certificates and keys: an authority of the federation's own, TLS for its server, and a key for each client."""

import ipaddress
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from fivefold.core.atomic import write_atomic
from fivefold.core.errors import BadInput

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, GeneralName, KeyUsage

AUTHORITY, CERTIFICATE, KEY = "ca.crt", "server.crt", "server.key"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
DAYS = 365
OWNER_ONLY = 0o600


CONNECTION = """[superlink]
default = "federation"

[superlink.federation]
address = "{address}"
root-certificates = {authority}
"""


def make_keys(place: Path, names: tuple[str, ...], address: str, asked: list[str]) -> None:
    """Make what was asked for in the folder `place`: everything, or "server HOST ...", or "client NAME".

    Raises:
        BadInput: Something else was asked for, or there is a key already.
    """
    folder = place / "keys"
    match asked:
        case []:
            _make_server(place, (), address)
            for name in names:
                make_client_key(folder, name)
        case ["server", *hosts]:
            _make_server(place, tuple(hosts), address)
        case ["client", name] if name in names:
            make_client_key(folder, name)
        case _:
            raise BadInput(
                "Keys are made for everybody (say nothing), for the server (server HOST ...) or for a client (client NAME).",
                mend="The clients are: {names}.",
                names=", ".join(names),
            )


def _make_server(place: Path, hosts: tuple[str, ...], address: str) -> None:
    """Write the certificates of the server, and how Flower's commands reach it from here."""
    make_server_keys(place / "keys", hosts)
    authority = json.dumps(str((place / "keys" / AUTHORITY).resolve()))
    told = CONNECTION.format(address=address, authority=authority)
    write_atomic(place / "flower" / "config.toml", told)


def make_server_keys(folder: Path, hosts: tuple[str, ...] = ()) -> None:
    """Write the certificate of the server for `hosts` and loopback, and that of the authority that signed it.

    The authority's own key is thrown away: nothing else can ever be signed by it.

    Raises:
        BadInput: There are certificates already.
    """
    from cryptography.hazmat.primitives.asymmetric import ec

    _check_free(folder / CERTIFICATE)
    authority, own = (
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP384R1()),
    )
    root = _certificate("Federation authority", authority, authority, None, ())
    leaf = _certificate("Federation server", own, authority, root, (*hosts, *LOOPBACK))
    _write(folder / AUTHORITY, _pem(root))
    _write(folder / CERTIFICATE, _pem(leaf))
    _write(folder / KEY, _private(own, is_ssh=False))


def make_client_key(folder: Path, name: str) -> None:
    """Write `NAME.key`, which stays with the client, and `NAME.pub`, which the server needs.

    Raises:
        BadInput: There is a key already.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    _check_free(folder / f"{name}.key")
    own = ec.generate_private_key(ec.SECP384R1())
    public = own.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    _write(folder / f"{name}.key", _private(own, is_ssh=True))
    _write(folder / f"{name}.pub", public + b"\n")


def public_keys(folder: Path, names: tuple[str, ...]) -> tuple[bytes, ...]:
    """Return the public key of each client, as Flower tells them of a node.

    Raises:
        BadInput: One is missing, cannot be read, or is that of two clients.
    """
    keys = tuple(_public(folder / f"{name}.pub") for name in names)
    if len(set(keys)) < len(keys):
        raise BadInput(
            "Two clients have the same key.", where=str(folder), mend="Make a key for each."
        )
    return keys


def _public(path: Path) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_ssh_public_key,
    )

    try:
        key = load_ssh_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise BadInput(
            "The public key of a client is missing or cannot be read.",
            where=str(path),
            mend="Let the client make its key, and put the .pub file here.",
        ) from error
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _certificate(
    name: str,
    own: "EllipticCurvePrivateKey",
    signer: "EllipticCurvePrivateKey",
    issuer: "Certificate | None",
    hosts: tuple[str, ...],
) -> "Certificate":
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA384
    from cryptography.x509.oid import NameOID

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(
            x509.BasicConstraints(ca=not hosts, path_length=None if hosts else 0), critical=True
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .add_extension(_usage(is_authority=not hosts), critical=True)
    )
    if hosts:
        names = x509.SubjectAlternativeName([_named(h) for h in dict.fromkeys(hosts)])
        server = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH])
        made = made.add_extension(names, critical=False).add_extension(server, critical=False)
    return made.sign(signer, SHA384())


def _usage(*, is_authority: bool) -> "KeyUsage":
    from cryptography.x509 import KeyUsage

    return KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _named(host: str) -> "GeneralName":
    from cryptography.x509 import DNSName, IPAddress

    try:
        return IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return DNSName(host)


def _pem(certificate: "Certificate") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _private(key: "EllipticCurvePrivateKey", *, is_ssh: bool) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    kind = PrivateFormat.OpenSSH if is_ssh else PrivateFormat.PKCS8
    return key.private_bytes(Encoding.PEM, kind, NoEncryption())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(
        mode=0o700, parents=True, exist_ok=True
    )  # nobody else sees a key, not even while it is written
    write_atomic(path, content)
    if path.suffix == ".key":
        path.chmod(OWNER_ONLY)


def _check_free(path: Path) -> None:
    if path.exists():
        raise BadInput(
            "There is a key already.",
            where=str(path),
            mend="Move it away if a new one is meant; what trusts the old one will not trust the new one.",
        )
