"""Named keys of clients. Only their SHA-256 is kept: 256 random bits cannot be guessed from it."""

import binascii
import hashlib
import secrets
from collections.abc import Mapping
from hmac import compare_digest
from pathlib import Path
from typing import Any

from fivefold.core.atomic import write_atomic
from fivefold.core.errors import BadInput
from fivefold.core.jsonfile import to_json
from fivefold.core.text import text
from fivefold.deploy.server.call import Call, Scope
from fivefold.deploy.server.rate import Rate, address_of
from fivefold.deploy.server.refused import Refused

PREFIX = "ff_"
MOST_BYTES = 1_000_000
LONGEST = 200  # characters of a token; nothing longer is hashed
WRONG_PER_SECOND, WRONG_AT_ONCE = 1.0, 20  # unknown keys, per address


def make_key(file: Path, name: str) -> str:
    """Add a new key for the client `name` to `file` and return it; it cannot be shown again.

    Raises:
        BadInput: The client has a key already, or `file` holds something else.
    """
    known = dict(read_keys(file)) if file.exists() else {}
    if not name.strip() or name in known.values():
        raise BadInput(
            "The client {name} has a key already, or no name.",
            where=str(file),
            mend="Choose another name, or take its line out of the file.",
            name=name,
        )
    key = PREFIX + secrets.token_urlsafe(32)
    clients = {client: digest for digest, client in known.items()} | {name: _digest(key)}
    write_atomic(file, to_json({"sha256": clients}) + "\n")
    file.chmod(0o600)
    return key


def read_keys(file: Path) -> Mapping[str, str]:
    """Return the client of each hash.

    Raises:
        BadInput: The file cannot be read or is something else.
    """
    from pydantic_core import from_json

    try:
        with file.open("rb") as opened:
            clients: Any = from_json(opened.read(MOST_BYTES))["sha256"]
        found = {str(digest): str(name) for name, digest in clients.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _no_keys(file) from error
    if not found or len(found) != len(clients) or any(len(d) != 64 for d in found):
        raise _no_keys(file)
    return found


class Token:
    """Lets in whoever shows a known key as `Authorization: Bearer KEY`.

    Wrong keys are counted per address. A known key always passes, so that nobody can lock a neighbour out.

    Args:
        keys: The client of each SHA-256, in hexadecimal.
    """

    def __init__(self, keys: Mapping[str, str]) -> None:
        self.keys = keys
        self.wrong = Rate(WRONG_PER_SECOND, WRONG_AT_ONCE)

    def __call__(self, call: Call) -> None:
        """Name the client, or refuse."""
        call.client = self.client(call.scope, call.headers)

    def client(
        self, scope: Scope, headers: Mapping[bytes, bytes], *, for_browsers: bool = False
    ) -> str:
        """Return whose key was shown.

        Args:
            scope: What the HTTP server knows of the request.
            headers: Its headers.
            for_browsers: Whether Basic with the key as the password will do as well, which a browser asks for.

        Raises:
            Refused: 401 without a key, 403 for an unknown one, 429 for too many of those.
        """
        token = _shown(headers.get(b"authorization", b""), for_browsers=for_browsers)
        if not token:
            # one challenge alone: Chromium does not ask for a password where a line names two
            challenge = b'Basic realm="fivefold"' if for_browsers else b"Bearer"
            reason = text("A key is needed: Authorization: Bearer KEY.")
            raise Refused(401, "token", reason, challenge=challenge)
        found = self._named(hashlib.sha256(token[:LONGEST]).hexdigest())
        if not found:
            self.wrong.check(address_of(scope.get("client")))
            raise Refused(403, "token", text("This key is not known."))
        return found

    def _named(self, shown: str) -> str:
        found = ""
        for digest, name in self.keys.items():  # every one, so that the time says nothing
            if compare_digest(digest, shown):
                found = name
        return found


def _shown(header: bytes, *, for_browsers: bool) -> bytes:
    """Return the key in an Authorization header; empty if there is none."""
    scheme, _, token = header.partition(b" ")
    scheme, token = scheme.lower(), token.strip()
    if scheme == b"basic" and for_browsers and len(token) <= 2 * LONGEST:
        try:
            return binascii.a2b_base64(token, strict_mode=True).partition(b":")[2]
        except ValueError:
            return b""
    return token if scheme == b"bearer" else b""


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _no_keys(file: Path) -> BadInput:
    return BadInput(
        "This is not a file of keys.",
        where=str(file),
        mend="Make one with: fivefold serve --token-file FILE --make-key NAME",
    )
