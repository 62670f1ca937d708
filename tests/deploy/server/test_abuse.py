"""What a hostile or careless caller may send: the right 4xx, bounded memory, healthy afterwards."""

import gzip
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from serving import INFER, Server, question, read_all, running, status_of

from fivefold.deploy.server import make_key

MOST = 100_000
HEAD = b"POST " + INFER.encode() + b" HTTP/1.1\r\nHost: localhost\r\n"
GOOD = json.dumps(question()).encode()
MEGABYTE = 2**20


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(most_bytes=MOST, head_seconds=1.0, body_seconds=1.0, connections=200) as one:
        yield one


@pytest.fixture(autouse=True)
def healthy_afterwards(server: Server) -> Iterator[None]:
    before = server.memory()
    yield
    assert server.ask(body=question()).status == 200
    assert server.memory() - before < 60 * MEGABYTE


def sized(body: bytes, *, length: int | None = None) -> bytes:
    n = len(body) if length is None else length
    return HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % n + body


def tensor(**changes: Any) -> bytes:
    (one,) = question()["inputs"]
    return json.dumps({"inputs": [one | changes]}).encode()


BODIES: dict[str, tuple[int, bytes]] = {
    "not JSON": (400, b"hello"),
    "empty": (400, b""),
    "a list": (400, b"[]"),
    "deep": (400, b'{"inputs":' + b"[" * 40_000 + b"]" * 40_000 + b"}"),
    "huge whole number": (422, tensor(data=[10**300, 1, 2])),
    "huger whole number": (400, tensor(data=[10**4000, 1, 2])),
    "huge exponent": (422, b'{"inputs":[{"name":"input","datatype":"FP32","shape":[1,3],"data":[1e999,1,2]}]}'),
    "NUL in the JSON": (400, b"\0" + GOOD),
    "NUL in a name": (422, tensor(name="in\0put")),
    "bad UTF-8": (400, GOOD.replace(b"input", b"\xff\xfe", 1)),
    "NaN": (400, GOOD.replace(b"0.5", b"NaN")),
    "Infinity": (400, GOOD.replace(b"0.5", b"Infinity")),
    "missing number": (422, tensor(data=[None, 1, 2])),
    "negative shape": (400, tensor(shape=[-1, 3])),
    "shape too large": (400, tensor(shape=[2**62, 2**62])),
    "shape of many axes": (400, tensor(shape=[1] * 1000)),
    "wrong shape": (400, tensor(shape=[3, 1])),
    "shape without rows": (400, tensor(shape=[0, 3], data=[])),
    "unknown datatype": (400, tensor(datatype="FP31")),
    "datatype that is no word": (400, tensor(datatype={"a": 1})),
    "ragged data": (400, tensor(data=[[1], [1, 2]])),
    "strings as numbers": (400, tensor(data=["0.5", "1", "2"])),
    "outside the range": (422, tensor(data=[7, 1, 2])),
    "no such category": (422, tensor(data=[0.5, 9, 2])),
    "half a category": (422, tensor(data=[0.5, 0.5, 2])),
    "no inputs": (400, b'{"inputs":[]}'),
    "no such output": (400, json.dumps(question() | {"outputs": [{"name": "x"}]}).encode()),
    "id that is no string": (400, json.dumps(question() | {"id": {}}).encode()),
    "parameters that are no object": (400, json.dumps(question() | {"parameters": 3}).encode()),
    "bytes that are not there": (400, tensor(parameters={"binary_data_size": 99})),
    "too many rows": (413, json.dumps(question(1025)).encode()),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_is_refused(server: Server, name: str) -> None:
    status, body = BODIES[name]
    found = server.ask(body=body, method="POST")
    assert found.status == status, found
    assert found.told["reason"] in ("malformed", "schema", "size")


@pytest.mark.parametrize("language", ["en", "zh-CN,en;q=0.5"])
def test_the_reason_is_in_the_callers_language(server: Server, language: str) -> None:
    found = server.ask(body=b"hello", headers={"Accept-Language": language})
    assert found.told["error"] == {"en": "The body is not JSON."}.get(language, "请求体不是 JSON。")


def test_a_long_body(server: Server) -> None:
    assert status_of(server.raw(sized(b"x" * (MOST + 1)))) == 413


def test_a_long_body_in_chunks(server: Server) -> None:
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as link:
        link.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        with suppress(OSError):
            for _ in range(3):
                link.sendall(chunk)
                time.sleep(0.02)
        assert status_of(read_all(link)) == 413


def test_an_endless_body_is_cut_off(server: Server) -> None:
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as link:
        link.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        with pytest.raises(OSError):
            for _ in range(5000):  # 320 MB
                link.sendall(chunk)


def test_a_content_length_that_is_too_large(server: Server) -> None:
    assert status_of(server.raw(sized(GOOD, length=len(GOOD) + 50))) == 408


def test_a_content_length_that_is_too_small(server: Server) -> None:
    assert status_of(server.raw(sized(GOOD, length=10))) == 400


@pytest.mark.parametrize("length", [b"-5", b"1e3", b"99999999999999999999999"])
def test_a_content_length_that_is_no_number(server: Server, length: bytes) -> None:
    data = HEAD + b"Content-Length: " + length + b"\r\n\r\n" + GOOD
    assert status_of(server.raw(data)) == 400


def test_two_lengths(server: Server) -> None:
    data = HEAD + b"Content-Length: 5\r\nContent-Length: 9\r\n\r\nhello"
    assert status_of(server.raw(data)) == 400
    both = HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert status_of(server.raw(both)) == 400


def test_a_compressed_bomb_is_not_unpacked(server: Server) -> None:
    bomb = gzip.compress(b"0" * 50 * MEGABYTE)
    found = server.ask(body=bomb, headers={"Content-Encoding": "gzip"})
    assert found.status == 415


def test_slow_callers_are_hung_up_on_and_hinder_nobody(server: Server) -> None:
    with ExitStack() as open_links:
        links = [
            open_links.enter_context(
                socket.create_connection(("127.0.0.1", server.port), timeout=5)
            )
            for _ in range(50)
        ]
        for i, link in enumerate(links):
            link.sendall((b"", b"POST", HEAD)[i % 3])
        assert server.ask(body=question()).status == 200
        assert all(status_of(read_all(link)) == 408 for link in links)


def test_a_slow_body(server: Server) -> None:
    head = HEAD + b"Content-Length: 99\r\n\r\n"
    assert status_of(server.raw(head + b"{")) == 408


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/v2/models/../../../etc/passwd",
        "/v2/models/%2e%2e/%2e%2e/etc/passwd",
        "/v2/models/toy%00/infer",
        "//etc/passwd",
        "/v2/models/toy/versions/../infer",
        "/" + "a" * 20_000,
    ],
)
def test_there_is_nothing_to_climb_out_of(server: Server, path: str) -> None:
    found = server.raw(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    )
    assert status_of(found) in (400, 404)
    assert b"root:" not in found


def test_a_long_head(server: Server) -> None:
    found = server.raw(HEAD + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 1000) for i in range(100)))
    assert status_of(found) in (400, 431)


def test_the_wrong_method(server: Server) -> None:
    found = server.ask(INFER, method="GET")
    assert (found.status, found.headers["allow"]) == (405, "POST")
    assert server.ask("/v2", body=b"x", method="DELETE").status == 405


def test_the_docs_need_no_network(server: Server) -> None:
    page = server.ask("/docs").told.decode()
    assert "POST /v2/models/toy/infer" in page
    assert "http" not in page.replace("<!DOCTYPE html>", "")


def test_not_http_at_all(server: Server) -> None:
    assert status_of(server.raw(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")) == 400


def test_many_requests_at_once_on_one_connection(server: Server) -> None:
    one = HEAD + b"Content-Length: %d\r\n\r\n" % len(GOOD) + GOOD
    found = server.raw(one * 20 + sized(GOOD))
    assert found.count(b"HTTP/1.1 200 OK") == 21


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    file = tmp_path_factory.mktemp("keys") / "keys.json"
    return file, make_key(file, "ann")


def test_keys_and_the_rate_of_each(keys: tuple[Path, str]) -> None:
    file, key = keys
    with running(keys=str(file), per_second=0.01, burst=2) as server:
        assert server.ask(body=question()).status == 401
        assert server.ask("/v2").status == 401
        wrong = {"Authorization": f"Bearer {key}x"}
        assert server.ask(body=question(), headers=wrong).status == 403
        assert server.ask(body=question(), headers={"Authorization": "Basic YQ=="}).status == 401
        right = {"Authorization": f"Bearer {key}"}
        assert [server.ask(body=question(), headers=right).status for _ in range(3)] == [
            200,
            200,
            429,
        ]
        late = server.ask(body=question(), headers=right)
        assert late.told["reason"] == "rate"
        assert int(late.headers["retry-after"]) > 10
        assert server.ask("/v2/health/live").status == 200


def test_keys_are_kept_as_hashes(keys: tuple[Path, str]) -> None:
    file, key = keys
    assert key not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
