"""The load generator, the same for all sides: raw sockets, one process, keep-alive, closed loop.

Usage: server_load.py PORT PATH BODY_FILE CONNECTIONS SECONDS; writes one line of JSON.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

import uvloop


class Link(asyncio.Protocol):
    """One connection that asks again as soon as it is answered."""

    def __init__(self, request: bytes, seen: list, until: float) -> None:
        self.request, self.seen, self.until = request, seen, until
        self.read = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.began = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.read += data
        end = self.read.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.read[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(self.read) < end + 4 + length:
            return
        now = time.perf_counter()
        self.seen.append((int(head[9:12]), now - self.began))
        self.read = b""
        if now < self.until:
            self.ask()
        else:
            self.transport.close()

    def connection_lost(self, error) -> None:
        if time.perf_counter() < self.until:
            self.seen.append((0, 0.0))
        if not self.done.done():
            self.done.set_result(None)


async def main(port: int, path: str, body: bytes, connections: int, seconds: float) -> dict:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    seen: list = []
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    until = began + seconds
    links = [
        (await loop.create_connection(lambda: Link(request, seen, until), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.wait([link.done for link in links], timeout=seconds + 10)
    wall = time.perf_counter() - began
    good = sorted(t for s, t in seen if s == 200)
    refused = sorted(t for s, t in seen if s in (429, 503))
    statuses: dict = {}
    for s, _ in seen:
        statuses[s] = statuses.get(s, 0) + 1
    return {
        "per_second": len(good) / wall,
        "p50": good[len(good) // 2] if good else None,
        "p95": good[int(len(good) * 0.95)] if good else None,
        "refused_p95": refused[int(len(refused) * 0.95)] if refused else None,
        "statuses": statuses,
    }


if __name__ == "__main__":
    port, path, file, connections, seconds = sys.argv[1:]
    body = Path(file).read_bytes()
    coroutine = main(int(port), path, body, int(connections), float(seconds))
    print(json.dumps(uvloop.run(coroutine)))
