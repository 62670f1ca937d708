"""A real server in a process of its own, and raw ways to talk to it."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

SCRIPT = Path(__file__).with_name("start_server.py")
INFER = "/v2/models/toy/infer"


class Answered(NamedTuple):
    """What came back."""

    status: int
    told: Any
    headers: Mapping[str, str]


class Server(NamedTuple):
    """A running server."""

    port: int
    process: "subprocess.Popen[bytes]"

    def ask(
        self,
        path: str = INFER,
        body: Any = None,
        method: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        told = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            link.request(
                method or ("GET" if body is None else "POST"), path, told, dict(headers or {})
            )
            answer = link.getresponse()
            content = answer.read()
            with suppress(ValueError):
                content = json.loads(content)
            return Answered(answer.status, content, {k.lower(): v for k, v in answer.getheaders()})
        finally:
            link.close()

    def raw(self, data: bytes, seconds: float = 10.0) -> bytes:
        """Send bytes as they are and return everything that comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as link:
            with suppress(OSError):
                link.sendall(data)
            return read_all(link)

    def memory(self) -> int:
        """Resident bytes."""
        words = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(words[1]) * os.sysconf("SC_PAGE_SIZE")


def read_all(link: socket.socket) -> bytes:
    """Return what comes until the other side closes or falls silent."""
    read = b""
    with suppress(OSError):
        while part := link.recv(65536):
            read += part
    return read


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


@contextmanager
def running(**options: Any) -> Generator[Server]:
    """Start a server with the toy model; `options` go to the script."""
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), json.dumps(options)],
        stdout=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stdout is not None
        server = Server(int(process.stdout.readline()), process)
        until_ready(server)
        yield server
    finally:
        process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


def command(*words: object) -> "subprocess.Popen[str]":
    """Start `fivefold serve`."""
    return subprocess.Popen(
        [sys.executable, "-m", "fivefold", "serve", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        text=True,
    )


def until_ready(server: Server) -> None:
    for _ in range(200):
        with suppress(OSError):
            if server.ask("/v2/health/ready").status == 200:
                return
        time.sleep(0.05)
    raise AssertionError("the server did not start")


def question(rows: int = 1, value: float = 0.5) -> dict[str, Any]:
    """Return a well-formed request for the toy table of three columns."""
    data = [value, 1, 2] * rows
    return {"inputs": [{"name": "input", "datatype": "FP32", "shape": [rows, 3], "data": data}]}
