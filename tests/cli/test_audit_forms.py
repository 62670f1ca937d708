"""Every form of model that people have, audited through the command line: what can be measured is, the rest says why."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from cli import forms
from cli.outside import outside
from fivefold.core.evidence import Axis, Evidence, Missing
from fivefold.recipe import read_run

CJK = re.compile(r"[\u4e00-\u9fff]")
ROWS = ("--data", "numbers.csv", "--target", "y")
TEXTS = ("--data", "texts.csv", "--target", "label", "--text", "review")
KEY = "a-key-nobody-should-see"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("forms")
    forms.numbers(made)
    forms.onnx(made / "one.onnx", by_column=False)
    forms.onnx(made / "many.onnx", by_column=True)
    forms.network(made)
    forms.texts(made)
    forms.transformers(made, shards=True)
    return made


@pytest.fixture(autouse=True)
def here(folder: Path, monkeypatch: pytest.MonkeyPatch, no_page: None) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))


def audited(ask, *words: object) -> dict[str, Evidence | Missing]:
    said = ask("audit", *words, "--json")
    assert said.code == 0, said.err
    return {f.key: f for f in read_run(Path(json.loads(said.out)["run"])).stages[-1].findings}


def values(found: dict[str, Evidence | Missing]) -> dict[str, float]:
    return {k: f.value for k, f in found.items() if isinstance(f, Evidence)}


def reasons(found: dict[str, Evidence | Missing]) -> dict[str, str]:
    return {k: str(f.reason) for k, f in found.items() if isinstance(f, Missing)}


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("one.onnx",), "model in an ONNX file"),
        pytest.param(("many.onnx",), "model in an ONNX file", marks=pytest.mark.slow),
        pytest.param(("people_function:ask",), "function", marks=pytest.mark.slow),
    ],
)
def test_a_black_box_is_measured_by_its_answers(folder, ask, words, name):
    found = audited(ask, *words, *ROWS)
    told, why = values(found), reasons(found)
    assert {f.axis for f in found.values()} == set(Axis)
    assert told["learning.accuracy"] > 0.95
    assert "generalization.accuracy_under_queries[linf eps 0.1, 100 queries]" in told
    assert any(key.startswith("explanation.faithfulness") for key in told)
    assert any(key.startswith("security.extraction_fidelity") for key in told)
    assert name in why["generalization.robust_accuracy"]
    assert "BlackBox" not in str(why)
    if "onnx" in words[0]:
        assert told["efficiency.saved_bytes"] == (folder / words[0]).stat().st_size


def test_a_network_with_its_factory_shows_its_gradients(ask):
    found = audited(ask, "net.safetensors", "--factory", "people_factory:build", *ROWS)
    told = values(found)
    assert told["generalization.robust_accuracy[linf eps 0.1]"] < told["learning.accuracy"]
    assert told["efficiency.parameters"] == 50
    assert not any("queries]" in key for key in found if key.startswith("generalization"))


def test_texts_of_two_languages_are_read_by_a_classifier_in_shards(folder, ask):
    found = audited(ask, "bert", *TEXTS)
    told, why = values(found), reasons(found)
    assert {f.axis for f in found.values()} == set(Axis)
    assert told["learning.accuracy"] > 0.9
    weights = [p.stat().st_size for p in (folder / "bert").glob("*.safetensors")]
    assert len(weights) > 1
    assert told["efficiency.saved_bytes"] == sum(weights)
    assert told["efficiency.parameters"] > 1000
    assert "characters are not quantities" in why["generalization.robust_accuracy"]


def test_words_of_both_languages_are_explained_one_by_one(ask):
    said = ask("explain", "bert", "--input", "texts.csv", *TEXTS[2:], "--row", 1, "--json", "--out", "why.html")  # fmt: skip
    assert said.code == 0, said.err
    told = json.loads(said.out)
    total = sum(f["attribution"] for f in told["features"])
    assert total == pytest.approx(told["score"] - told["base"], abs=1e-4)
    assert all(not CJK.search(f["feature"]) or len(f["feature"]) == 1 for f in told["features"])
    assert '<p class="words"><span' in Path("why.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_picture_of_a_text_speaks_the_readers_language(ask, ending):
    Path("one.txt").write_text("a good film 喜欢电影\n很好。", encoding="utf-8")
    said = ask("explain", "bert", "--input", "one.txt", *TEXTS, "--out", f"why.{ending}", "--lang", "zh")  # fmt: skip
    assert said.code == 0, said.err
    drawn = Path(f"why.{ending}").read_bytes()
    assert drawn.startswith(b"\x89PNG") or "对数几率" in drawn.decode()


class Handler(BaseHTTPRequestHandler):
    """Answers a request of its own kind, for whoever has the key; is busy now and then."""

    def log_message(self, format, *args):
        pass

    def do_POST(self):
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server: Any = self.server
        server.asked.append(len(told["rows"]))
        if server.busy:
            server.busy -= 1
            return self._tell(503, {}, server.wait)
        if self.headers.get("Authorization") != f"Bearer {KEY}" or self.headers.get("X-Team") != "me":  # fmt: skip
            return self._tell(401, {"error": "who are you?"})
        sums = np.array([[r["a"], r["b"]] for r in told["rows"]]).sum(1)
        shares = 1 / (1 + np.exp(-2 * sums))
        return self._tell(200, {"results": [{"scores": {"yes": p, "no": 1 - p}} for p in shares]})

    def _tell(self, code, told, wait=0):
        content = json.dumps(told).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Retry-After", str(wait))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def server(folder: Path) -> Iterator[Any]:
    (folder / "key.txt").write_text(KEY + "\n")
    made: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.daemon_threads, made.busy, made.wait, made.asked = True, 0, 0, []
    thread = Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        made.server_close()
        thread.join()


def words_for(server) -> tuple[str, ...]:
    request = ("--request", '{"rows": $RECORDS}', "--answer", "results.*.scores")
    return (f"http://127.0.0.1:{server.server_port}/predict", *ROWS, *request)


def test_a_server_with_a_protocol_of_its_own_is_asked_with_a_key(server, ask):
    server.busy = 2
    words = (*words_for(server), "--token-file", "key.txt", "--header", "X-Team: me")
    found = audited(ask, *words, "--batch", 20, "--axes", "learning,efficiency,security")
    assert values(found)["learning.accuracy"] > 0.95
    assert max(server.asked) == 20
    why = reasons(found)
    assert "server elsewhere" in why["efficiency.energy"]
    assert any(
        "way to the server" in str(note) for note in read_run(Path("runs/audit-predict")).data.notes
    )
    for path in Path("runs/audit-predict").rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ((), "--token-file"),
        (("--token-file", "nowhere.txt"), "no such file"),
        (("--header", "nonsense"), "Name: value"),
        (("--request", '{"rows": []}'), "$ROWS"),
        (("--request", "{$ROWS"), "not a request"),
        (("--token-file", "key.txt", "--header", "X-Team: me", "--answer", "results.0.nothing"), "--answer"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_says_how_to_mend_it(server, ask, more, told):
    said = ask("audit", *words_for(server), *more)
    assert said.code == 3
    assert told in said.err
    assert "Traceback" not in said.err


def test_a_server_that_is_always_busy_ends_with_the_budget(server, ask):
    server.busy, server.wait = 10_000, 30
    said = ask("audit", *words_for(server), "--budget-seconds", 1)
    assert said.code == 7, said.err
    assert "budget of 1 s" in said.err


def test_a_bundle_is_checked_before_it_is_opened(made, bundle, ask, tmp_path):
    import shutil

    data = ("--data", made / "toy.toml", "--axes", "learning,privacy")
    found = audited(ask, bundle, *data)
    assert values(found)["privacy.epsilon[delta 0.0001]"] == float("inf")  # its own history says so
    broken = tmp_path / "broken"
    shutil.copytree(bundle, broken)
    (broken / "model.json").write_text((broken / "model.json").read_text() + " ")
    for verb in (("audit", broken, *data), ("attack", broken, *data[:2])):
        assert ask(*verb).code == 5


@pytest.fixture
def served(bundle: Path) -> Iterator[str]:
    """Start the real server on a bundle and return the address of its model."""
    words = [sys.executable, "-m", "fivefold", "serve", str(bundle), "--port", "0", "--json"]
    process = subprocess.Popen(
        [*words, "--detector", "flag"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=outside(), text=True
    )  # fmt: skip
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        told = ""
        for line in lines:
            told += line
            if line.rstrip() == "}":
                break
        found = json.loads(told)
        yield f"{found['url']}/v2/models/{found['model']}"
    finally:
        process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.slow
def test_a_served_bundle_answers_as_the_bundle_does(made, bundle, served, ask):
    data = ("--data", made / "toy.toml", "--axes", "learning,efficiency")
    near, far = audited(ask, bundle, *data, "--name", "near"), audited(ask, served, *data, "--name", "far")  # fmt: skip
    assert values(near)["learning.accuracy"] == values(far)["learning.accuracy"]
    assert "model behind an address" in reasons(far)["efficiency.size"]
