"""Keys: who is let in, by which header, and what guessing brings."""

import asyncio
import base64
import hashlib
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from toy_served import toy_model

from fivefold.deploy.event import Event
from fivefold.deploy.server import Served, Settings, app_of
from fivefold.deploy.server.keys import WRONG_AT_ONCE, Token
from fivefold.deploy.server.refused import Refused

KEY = b"ff_secret"
KEYS = {hashlib.sha256(KEY).hexdigest(): "ann"}


def asked(path: str, authorization: bytes = b"") -> tuple[int, dict[bytes, bytes]]:
    """Ask a page of an application whose pages show the name of the client."""

    async def show(request: Any) -> PlainTextResponse:
        return PlainTextResponse(request.state.client)

    routes = [Route(p, show) for p in ("/live", "/live/state", "/metrics", "/other")]
    app, _ = app_of(Served(model=toy_model(), keys=KEYS), routes=routes)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    headers = [(b"authorization", authorization)] if authorization else []
    scope = {"type": "http", "method": "GET", "path": path, "headers": headers, "client": ("1.2.3.4", 5), "query_string": b""}  # fmt: skip
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"])


def basic(user: bytes, password: bytes) -> bytes:
    return b"Basic " + base64.b64encode(user + b":" + password)


@pytest.mark.parametrize("path", ["/live", "/live/state", "/metrics"])
def test_a_browser_may_show_its_key_as_a_password(path: str) -> None:
    status, headers = asked(path)
    assert status == 401
    assert headers[b"www-authenticate"].startswith(b"Basic ")
    assert asked(path, basic(b"anyone", KEY))[0] == 200
    assert asked(path, b"Bearer " + KEY)[0] == 200
    assert asked(path, basic(KEY, b"anything"))[0] == 403


@pytest.mark.parametrize("path", ["/v2", "/other", "/liver"])
def test_nowhere_else(path: str) -> None:
    status, headers = asked(path, basic(b"anyone", KEY))
    assert (status, headers[b"www-authenticate"]) == (401, b"Bearer")


@pytest.mark.parametrize("told", [b"Basic", b"Basic ", b"Basic ====", b"Basic " + b"A" * 999, b"Digest x"])  # fmt: skip
def test_what_is_no_key_at_all(told: bytes) -> None:
    assert asked("/live", told)[0] == 401


def test_guessing_is_slowed_down_and_locks_nobody_out() -> None:
    token = Token(KEYS)
    scope: dict[str, Any] = {"client": ("1.2.3.4", 5)}

    def tried(key: bytes, scope: dict[str, Any]) -> int:
        try:
            token.client(scope, {b"authorization": b"Bearer " + key})
        except Refused as refused:
            return refused.status
        return 200

    seen = [tried(b"%d" % i, scope) for i in range(WRONG_AT_ONCE + 2)]
    assert seen == [403] * WRONG_AT_ONCE + [429] * 2
    assert tried(KEY, scope) == 200
    assert tried(b"x", {"client": ("1.2.3.5", 5)}) == 403


def test_whoever_tries_keys_elsewhere_or_floods_labels_leaves_a_trace() -> None:
    seen: list[Event] = []

    async def take(request: Any) -> PlainTextResponse:
        return PlainTextResponse("taken")

    settings = Settings(per_second=0.001, burst=2)
    app, _ = app_of(
        Served(model=toy_model(), settings=settings, keys=KEYS),
        [lambda *events: seen.extend(events)],
        [Route("/labels", take, methods=["POST"])],
    )

    async def tried(method: str, key: bytes) -> int:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        headers = [(b"authorization", b"Bearer " + key)]
        scope = {"type": "http", "method": method, "path": "/labels", "headers": headers, "client": ("1.2.3.4", 5), "query_string": b""}  # fmt: skip
        await app(scope, receive, send)
        return sent[0]["status"]

    async def main() -> None:
        app.start()
        assert [await tried("POST", KEY) for _ in range(3)] == [200, 200, 429]
        assert await tried("POST", b"ff_guess") == 403
        app.stop()

    asyncio.run(main())
    assert [(e.verb, e.status, e.refusal) for e in seen] == [("look", 429, "rate"), ("look", 403, "token")]  # fmt: skip
