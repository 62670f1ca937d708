"""Live evidence from files and servers, some of which mean no good."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shipping import live_of_requests

from fivefold.cli import live_source
from fivefold.cli.live_source import read_source
from fivefold.core.errors import BadInput, Damaged, FivefoldError
from fivefold.core.evidence import Missing
from fivefold.core.text import Text
from fivefold.deploy.watch import read_live
from fivefold.deploy.watch.live import seal_live, write_live

LIVE = live_of_requests("d" * 64)
TOLD = seal_live(LIVE).encode()
KEY = "ff_secret"


class Stranger(BaseHTTPRequestHandler):
    """Answers as it is told to, and remembers what it was shown."""

    asked: ClassVar[list[tuple[str, str]]] = []
    status: ClassVar[int] = 200
    body: ClassVar[bytes] = TOLD
    headers_: ClassVar[dict[str, str]] = {}

    def do_GET(self) -> None:
        type(self).asked.append((self.path, self.headers.get("Authorization", "")))
        self.send_response(self.status)
        for name, value in self.headers_.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def stranger(
    status: int = 200, body: bytes = TOLD, headers: dict[str, str] | None = None
) -> Generator[tuple[str, list[tuple[str, str]]]]:
    """Serve one answer; yield its address and what was asked."""
    kind = type("One", (Stranger,), {"asked": [], "status": status, "body": body, "headers_": headers or {}})  # fmt: skip
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", kind.asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    (tmp_path / "key").write_text(KEY + "\n")
    return tmp_path / "key"


def test_a_file_or_the_folder_of_a_server(tmp_path):
    write_live(tmp_path, LIVE)
    assert read_source(str(tmp_path), None) == LIVE
    assert read_source(str(tmp_path / "live.json"), None) == LIVE
    with pytest.raises(BadInput, match="no live evidence"):
        read_source(str(tmp_path / "none"), None)


@pytest.mark.parametrize(
    ("path", "asked"),
    [("", "/live/evidence.json"), ("/", "/live/evidence.json"), ("/a/b?c=d", "/a/b?c=d")],
)
def test_an_address_and_a_key(key, path, asked):
    with stranger() as (url, seen):
        assert read_source(url + path, key) == LIVE
        assert read_source(url + path, None) == LIVE
    assert seen == [(asked, f"Bearer {KEY}"), (asked, "")]


def test_no_redirect_is_followed_with_the_key(key):
    with (
        stranger() as (goal, leaked),
        stranger(302, b"", {"Location": goal}) as (url, _),
        pytest.raises(BadInput, match="nobody is followed"),
    ):
        read_source(url, key)
    assert leaked == []


def test_no_proxy_sees_the_key(key, monkeypatch):
    with stranger() as (proxy, leaked), stranger() as (url, _):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        assert read_source(url, key) == LIVE
    assert leaked == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_wanted(status):
    with stranger(status, b"{}") as (url, _), pytest.raises(BadInput, match="--token-file"):
        read_source(url, None)


@pytest.mark.parametrize("status", [204, 404, 500, 503])
def test_other_answers_are_none(status):
    with stranger(status, b"") as (url, _), pytest.raises(FivefoldError):
        read_source(url, None)


def test_too_large_an_answer_is_not_read(monkeypatch):
    monkeypatch.setattr(live_source, "MOST_BYTES", 100_000)
    huge = b"x" * 5_000_000
    with stranger(body=huge) as (url, _), pytest.raises(BadInput, match="larger than 100000"):
        read_source(url, None)


def test_a_server_that_never_ends_or_never_answers(monkeypatch):
    monkeypatch.setattr(live_source, "SECONDS", 0.2)
    with pytest.raises(BadInput, match="does not answer"):
        read_source("http://127.0.0.1:1", None)
    length = {"Content-Length": str(len(TOLD))}
    with stranger(body=TOLD[:500], headers=length) as (url, _), pytest.raises(Damaged):
        read_source(url, None)
    monkeypatch.setattr(live_source, "LONGEST", -1.0)
    with stranger() as (url, _), pytest.raises(BadInput, match="does not answer"):
        read_source(url, None)


@pytest.mark.parametrize(
    "place", ["http://", "https:///x", "http://me:secret@host", "http://a:b", "http://[::"]
)
def test_what_is_no_address(place):
    with pytest.raises(BadInput, match="not the address") as told:
        read_source(place, None)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    "content", ["", '{"sha256": {"a": "b"}}', "two words", "a\nb", "ключ", "x" * 20_000]
)
def test_what_is_no_key(tmp_path, content):
    (tmp_path / "key").write_text(content)
    with pytest.raises(BadInput, match="does not hold a key") as told:
        read_source("http://127.0.0.1:1", tmp_path / "key")
    assert not content or content not in str(told.value)


def test_a_key_for_nobody(key, tmp_path):
    write_live(tmp_path, LIVE)
    with pytest.raises(BadInput, match="server alone"):
        read_source(str(tmp_path), key)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(0, len(TOLD) - 1), st.integers(1, 255))
def test_any_changed_byte_is_noticed(place, change):
    told = bytearray(TOLD)
    told[place] ^= change
    with pytest.raises(Damaged):
        read_live(bytes(told), where="x")


@pytest.mark.parametrize(
    "told", [b"", b"{}", b"null", TOLD[:-1], TOLD + b"\n", json.dumps({}).encode()]
)
def test_something_else_is_noticed(told):
    with pytest.raises(Damaged):
        read_live(told, where="x")


@pytest.mark.parametrize(
    ("template", "facts"),
    [
        ("{a.__class__}", {"a": "b"}),
        ("{a[0]}", {"a": "b"}),
        ("{a:>999999999}", {"a": "b"}),
        ("{a!r}", {"a": "b"}),
        ("{}", {}),
        ("{b}", {"a": 1}),
        ("{", {}),
    ],
)
def test_a_sentence_that_asks_for_more_than_its_facts_is_refused(template, facts):
    finding = LIVE.findings[0]
    odd = Missing(axis=finding.axis, name=finding.name, reason=Text(template, facts))
    with pytest.raises(Damaged):
        read_live(seal_live(replace(LIVE, findings=(odd,))).encode(), where="x")


@pytest.mark.parametrize("written", ["NaN", "Infinity", "-1", "1e300"])
def test_a_time_that_is_none_is_refused(written):
    _, content = TOLD.split(b'"content":\n', 1)
    content = content.removesuffix(b"\n}\n")
    content = content.replace(
        f'"written": {LIVE.written}'.encode(), f'"written": {written}'.encode()
    )
    assert written.encode() in content
    told = b'{"sha256": "%s", "content":\n%s\n}\n' % (sha256(content).hexdigest().encode(), content)
    with pytest.raises(Damaged):
        read_live(told, where="x")
