"""A web page must not reach a server on its reader's machine, under a name of its own or blindly."""

from collections.abc import Iterator

import pytest
from serving import INFER, Server, question, running


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(hosts=["127.0.0.1", "localhost", "[::1]", "model.lan"]) as one:
        yield one


@pytest.mark.parametrize("path", [INFER, "/v2", "/docs", "/live"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost@evil", ":80"])  # fmt: skip
def test_other_names_are_refused(server: Server, host: str, path: str) -> None:
    body = question() if path == INFER else None
    assert server.ask(path, body, headers={"Host": host}).status == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:99", "127.0.0.1:1", "[::1]:80", "[::1]", "model.lan"])  # fmt: skip
def test_its_own_names_are_not(server: Server, host: str) -> None:
    assert server.ask(body=question(), headers={"Host": host}).status == 200
    assert server.ask("/v2", headers={"Host": host}).status == 200


@pytest.mark.parametrize("path", [INFER, "/v2", "/v2/models/toy/feedback"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://evil.example:80", "http://localhost@evil"])  # fmt: skip
def test_pages_of_others_cannot_send_blindly(server: Server, origin: str, path: str) -> None:
    body = None if path == "/v2" else question()
    found = server.ask(path, body, headers={"Origin": origin, "Content-Type": "text/plain"})
    assert found.status == 403
    assert found.told["reason"] == "malformed"


@pytest.mark.parametrize("origin", ["http://localhost:8080", "https://model.lan", "http://[::1]:80"])  # fmt: skip
def test_its_own_pages_can(server: Server, origin: str) -> None:
    assert server.ask(body=question(), headers={"Origin": origin}).status == 200
