"""By which name the server is called, and from where, so that a web page cannot use its reader's way to it.

A page can reach a server on this machine under a name of its own (DNS rebinding), or send to it blindly
under the true one. Browsers tell both: the name in Host, and the page that sends in Origin.
"""

from collections.abc import Mapping, Sequence

from fivefold.core.text import text
from fivefold.deploy.server.call import Call, Scope, headers_of
from fivefold.deploy.server.refused import Refused

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Hosts:
    """Refuses other names with 421, and pages from elsewhere with 403. What names neither is no browser.

    Args:
        names: Names without port.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = frozenset(name.lower().encode() for name in names)

    def __call__(self, call: Call) -> None:
        """Go on, or refuse."""
        self._check(call.headers)

    def check(self, scope: Scope) -> None:
        """Go on, or refuse; for whatever is not a question to the model.

        Raises:
            Refused: The name, or that of the page that sends it, is not ours.
        """
        self._check(headers_of(scope))

    def _check(self, headers: Mapping[bytes, bytes]) -> None:
        if not self._is_ours(headers.get(b"host", b"")):
            raise Refused(421, "malformed", text("This server does not go by that name."))
        origin = headers.get(b"origin", b"")
        if not self._is_ours(origin.partition(b"://")[2] or origin):
            raise Refused(
                403, "malformed", text("The web pages of others may not ask this server.")
            )

    def _is_ours(self, told: bytes) -> bool:
        name, colon, port = told.rpartition(b":")
        name = name if colon and port.isdigit() else told
        return not told or name.lower() in self.names
