"""A real server on the loopback that speaks the Open Inference Protocol, sometimes badly."""

import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import torch

from fivefold.core.errors import BadInput
from fivefold.models import open_model
from fivefold.models.endpoint import EndpointModel
from fivefold.models.web import Access, ask


class Server(ThreadingHTTPServer):
    daemon_threads = True
    mood = ""
    busy = 0


class Handler(BaseHTTPRequestHandler):
    server: Server  # type: ignore[assignment]

    def log_message(self, format, *args):
        pass

    def tell(self, told, code=200, **headers):
        content = told if isinstance(told, bytes) else json.dumps(told).encode()
        self.send_response(code)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        x = {"name": "x", "datatype": "FP32", "shape": [-1, 6]}
        y = {"name": "y", "datatype": "FP32", "shape": [-1, 2]}
        self.tell({"name": "m", "inputs": [x], "outputs": [y]} if "models" in self.path else {})

    def do_POST(self):
        (given,) = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputs"]
        if self.server.busy:
            self.server.busy -= 1
            return self.tell({}, 429, Retry_After="0")
        if self.server.mood == "redirect":
            return self.tell({}, 307, Location="file:///etc/passwd")
        if self.server.mood:
            return self.tell({"broken": b"{", "empty": b"{}", "error": b"no"}[self.server.mood], 500 if self.server.mood == "error" else 200)  # fmt: skip
        x = torch.tensor(given["data"]).reshape(given["shape"])
        out = {"name": "y", "datatype": "FP32", "shape": [len(x), 2], "data": x[:, :2].flatten().tolist()}  # fmt: skip
        return self.tell({"model_name": "m", "outputs": [out]})


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Handler)
    thread = Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        made.server_close()
        thread.join()


def opened(server, data, path="/v2/models/m") -> EndpointModel:
    found = open_model(f"http://127.0.0.1:{server.server_port}{path}", task=data.task, schema=data.schema)  # fmt: skip
    assert isinstance(found, EndpointModel)
    return found


def test_a_server_is_asked_in_batches_and_waited_for(server, table):
    model, x = opened(server, table), table.splits.test.x
    server.busy = 2
    assert torch.allclose(model.predict(x), x[:, :2])
    assert model.asked == [2]
    assert model.with_lineage(()).predict(x[:0]).shape == (0, 2)


@pytest.mark.parametrize(
    ("mood", "said"),
    [("broken", "JSON"), ("empty", "outputs"), ("error", "500"), ("redirect", "307")],
)
def test_bad_answers_are_told(server, table, mood, said):
    model = opened(server, table)
    server.mood = mood
    with pytest.raises(BadInput, match=said):
        model.predict(table.splits.test.x)


def test_other_protocols_and_dead_addresses_are_told(server, table):
    with pytest.raises(BadInput, match="Open Inference"):
        opened(server, table, "/other")
    model = opened(server, table)
    with pytest.raises(BadInput, match="missing"):
        model.predict(torch.full((1, 6), torch.nan))
    with pytest.raises(BadInput, match="does not answer"):
        open_model("http://127.0.0.1:1/v2/models/m", task=table.task, schema=table.schema)


@pytest.mark.parametrize("reply", [b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n"])  # fmt: skip
def test_what_is_no_http_is_a_clear_error(reply):
    with socket.create_server(("127.0.0.1", 0)) as door:

        def answer():
            link, _ = door.accept()
            with link:
                link.recv(65536)
                link.sendall(reply)

        thread = Thread(target=answer)
        thread.start()
        with pytest.raises(BadInput, match="does not answer as it should"):
            ask(f"http://127.0.0.1:{door.getsockname()[1]}/", Access(seconds=5))
        thread.join()


@pytest.mark.parametrize("url", ["http://a b/", "http://[::1", "http://127.0.0.1:x/"])
def test_an_address_that_is_none_is_a_clear_error(url):
    with pytest.raises(BadInput, match="does not answer as it should"):
        ask(url, Access())
