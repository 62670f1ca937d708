"""What every exchange needs: the ways to the model, the wording of answers, and the records."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count

from fivefold.deploy.server.call import Call, Verb, Way
from fivefold.deploy.server.post import Post
from fivefold.deploy.server.refused import Refused
from fivefold.deploy.server.reply import JSON, Headers, json_bytes, refusal_body, refusal_headers
from fivefold.deploy.server.settings import Settings
from fivefold.deploy.server.tell import Telling

BYTES = b"application/octet-stream"


@dataclass(frozen=True, kw_only=True, eq=False)
class Desk:
    """Shared by all connections.

    Attributes:
        ways: The guarded ways to the model, by what is asked for.
        telling: How answers are worded.
        post: Who is told of every call.
        settings: Limits.
        is_ready: Returns whether more requests are wanted; if not, every answer closes its connection.
        numbers: Ids for calls that bring none.
    """

    ways: Mapping[Verb, Way]
    telling: Telling
    post: Post
    settings: Settings
    is_ready: Callable[[], bool]
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def worded(self, call: Call) -> tuple[bytes, Headers, bytes]:
        """Return the body of an answer, its further headers and its type."""
        call.request = call.request or f"{next(self.numbers):x}"
        if call.told is not None:
            frame = {"model_name": self.telling.name, "model_version": self.telling.version}
            return json_bytes(frame | {"id": call.request, **call.told}), (), JSON
        said = self.telling.tell(call)
        if said.header is None:
            return said.body, (), JSON
        return said.body, [(b"inference-header-content-length", b"%d" % said.header)], BYTES

    def refusal(self, call: Call, refused: Refused) -> tuple[bytes, Headers, bytes]:
        """Return the body of a refusal, its further headers and its type."""
        call.request = call.request or f"{next(self.numbers):x}"
        return refusal_body(refused, call.language), refusal_headers(refused), JSON
