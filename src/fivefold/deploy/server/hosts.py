"""By which name the server is called, so that a web page cannot reach it under a name of its own (DNS rebinding)."""

from collections.abc import Sequence

from fivefold.core.text import text
from fivefold.deploy.server.call import Call, Scope
from fivefold.deploy.server.refused import Refused

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Hosts:
    """Refuses other names with 421. A caller that names none is no browser, and passes.

    Args:
        names: Names without port.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = frozenset(name.lower().encode() for name in names)

    def __call__(self, call: Call) -> None:
        """Go on, or refuse."""
        self._check(call.headers.get(b"host", b""))

    def check(self, scope: Scope) -> None:
        """Go on, or refuse; for whatever is not a question to the model.

        Raises:
            Refused: The name is not ours.
        """
        self._check(dict(scope["headers"]).get(b"host", b""))

    def _check(self, told: bytes) -> None:
        name, colon, port = told.rpartition(b":")
        name = name if colon and port.isdigit() else told
        if told and name.lower() not in self.names:
            raise Refused(421, "malformed", text("This server does not go by that name."))
