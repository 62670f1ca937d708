"""A real server with keys: who asked may label, and the gate reads its evidence over HTTP with a key."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from serving import Server, until_ready
from shipping import Shipped

from chromium import chromium
from fivefold.deploy.server import make_key
from fivefold.deploy.watch import read_live

ONE = {"name": "input", "datatype": "FP32", "shape": [1, 6], "data": [0.1] * 6}


class Keyed(NamedTuple):
    """A server, the keys of two clients, and its state folder."""

    server: Server
    ann: str
    bob: str
    state: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def infer(self, request: str, key: str) -> Any:
        body = {"id": request, "inputs": [ONE]}
        return self.server.ask("/v2/models/toy/infer", body, headers=bearer(key))

    def label(self, request: str, label: str, key: str) -> int:
        body = {"id": request, "label": label}
        return self.server.ask("/v2/models/toy/feedback", body, headers=bearer(key)).status


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


@pytest.fixture(scope="module")
def keyed(shipped: Shipped, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    folder = tmp_path_factory.mktemp("keyed")
    ann, bob = (make_key(folder / "keys.json", name) for name in ("ann", "bob"))
    words = ("serve", shipped.bundle, "--port", 0, "--json", "--state", folder / "state", "--token-file", folder / "keys.json")  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "fivefold", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        told = b""
        for line in process.stdout:
            told += line
            if line.startswith(b"}"):
                break
        server = Server(int(json.loads(told)["url"].rsplit(":", 1)[1]), process)
        until_ready(server)
        yield Keyed(server, ann, bob, folder / "state")
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


@pytest.fixture(scope="module")
def used(keyed: Keyed) -> Keyed:
    """Return the server after sixty requests of Ann, each with the label that was answered."""
    for i in range(60):
        (label, _) = keyed.infer(f"r{i}", keyed.ann).told["outputs"]
        assert keyed.label(f"r{i}", label["data"][0], keyed.ann) == 200
    return keyed


def gate(*words: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "fivefold", "gate", *map(str, words)],
        capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=60, check=False,
    )  # fmt: skip


def test_nobody_labels_the_requests_of_another(keyed):
    assert keyed.infer("mine", keyed.ann).status == 200
    assert keyed.label("mine", "yes", keyed.bob) == 404
    assert keyed.label("mine", "yes", "") == 401
    assert keyed.label("mine", "yes", keyed.ann) == 200
    assert keyed.label("mine", "yes", keyed.ann) == 404


def test_the_gate_passes_over_http_with_a_key(used, shipped, tmp_path):
    (tmp_path / "key").write_text(used.bob)
    said = gate(
        shipped.bundle, "--live", used.url, "--token-file", tmp_path / "key", "--json", "--junit", tmp_path / "x.xml"
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    told = json.loads(said.stdout)
    assert told["live"]["digest"] == shipped.digest
    assert told["live"]["requests"] >= 60
    assert [c["stage"] for c in told["checks"]] == ["plain", "live"]
    assert used.bob not in said.stdout + said.stderr
    assert "<failure" not in (tmp_path / "x.xml").read_text()


@pytest.mark.slow
def test_the_gate_fails_over_http(used, shipped, tmp_path):
    (tmp_path / "key").write_text(used.ann)
    (tmp_path / "p.toml").write_text(
        '[[limits]]\nevidence = "efficiency.latency_p50[live]"\nat_most = 0.000001\n'
        '[[limits]]\nevidence = "learning.accuracy"\nat_least = 0.5\n'
    )
    said = gate(shipped.run, "--live", used.url + "/live/evidence.json", "--token-file", tmp_path / "key", "--policy", tmp_path / "p.toml", "--lang", "zh")  # fmt: skip
    assert said.returncode == 4, said.stderr
    lines = [line.split()[:3] for line in said.stdout.splitlines()]
    assert ["未通过", "live", "efficiency.latency_p50[live]"] in lines
    assert ["通过", "live", "learning.accuracy"] in lines


@pytest.mark.slow
@pytest.mark.parametrize("key", ["", "ff_wrong"])
def test_the_gate_without_a_known_key_is_refused(used, shipped, tmp_path, key):
    (tmp_path / "key").write_text(key)
    words = ("--token-file", tmp_path / "key") if key else ()
    said = gate(shipped.bundle, "--live", used.url, *words)
    assert said.returncode == 3
    assert "wants a key" in said.stderr


def until_written(file: Path, requests: int, seconds: float = 60) -> None:
    """Wait until the server, which sums up every half minute, has written of so many requests."""
    end = time.monotonic() + seconds
    while read_live(file.read_bytes(), where="x").requests < requests:
        assert time.monotonic() < end, "the server has not summed up"
        time.sleep(0.5)


@pytest.mark.slow
def test_the_state_folder_is_read_as_well(used, shipped):
    until_written(used.state / "live.json", requests=60)
    said = gate(shipped.bundle, "--live", used.state)
    assert said.returncode == 0, said.stderr
    assert read_live((used.state / "live.json").read_bytes(), where="x").digest == shipped.digest


@pytest.mark.browser
@pytest.mark.slow
def test_a_browser_shows_its_key_as_a_password(keyed):
    with chromium() as browser:
        page = browser.new_context(
            http_credentials={"username": "any", "password": keyed.ann}
        ).new_page()
        shown = page.goto(f"{keyed.url}/live")
        assert shown is not None
        assert shown.status == 200, shown.text()
        page.wait_for_function("() => document.querySelector('#status').dataset.at === 'live'")
    refused = keyed.server.ask("/live")
    assert refused.status == 401
    assert refused.headers["www-authenticate"].startswith("Basic")  # so that a browser asks
