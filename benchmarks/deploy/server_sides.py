"""The servers that are compared: how each is started, asked, held still while another is measured, and ended."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
INFER = "/v2/models/digits/infer"


@dataclass(frozen=True, kw_only=True)
class Side:
    """One server in one setting."""

    name: str
    setting: str
    path: str
    words: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def is_bento(self) -> bool:
        return self.name == "bentoml"


def python_of(name: str) -> str:
    return str(ROOT / ".peers" / name / "bin" / "python")


def sides(folder: Path, name: str) -> list[Side]:
    """Return every setting of one server that is tried; its best one counts."""
    script = str(HERE / f"server_{name}.py")
    if name == "ours":
        return [
            Side(
                name=name,
                setting="as promised",
                path=INFER,
                words=(sys.executable, script, str(folder), "PORT"),
            )
        ]
    if name == "bare":
        return [
            Side(
                name=name,
                setting=place,
                path=INFER,
                words=(sys.executable, script, str(folder), "PORT", place),
            )
            for place in ("inline", "thread")
        ]
    if name == "litserve":
        return [
            Side(
                name=name,
                setting=f"batch {size}, wait {wait} s",
                path="/infer",
                words=(python_of(name), script, str(folder), "PORT", str(size), str(wait)),
            )
            for size, wait in ((32, 0.001), (1, 0.0), (32, 0.005))
        ]
    start = str(ROOT / ".peers" / "bentoml" / "bin" / "bentoml")
    words = (start, "serve", "server_bentoml:Digits", "--port", "PORT", "--working-dir", str(HERE))
    return [
        Side(
            name=name,
            setting=f"batch {size}, latency {wait} ms",
            path="/infer",
            words=words,
            variables={"BENCH_BATCH": str(size), "BENCH_LATENCY": str(wait)},
        )
        for size, wait in ((32, 1000), (1, 0), (32, 20))
    ]


class Running:
    """A server process; still unless it is asked."""

    def __init__(self, side: Side, folder: Path, port: int) -> None:
        self.side, self.folder, self.port = side, folder, port
        own = (
            os.environ
            | side.variables
            | {
                "OMP_NUM_THREADS": "1",
                "OMP_WAIT_POLICY": "PASSIVE",
                "BENCH_MODEL": str(folder),
                "BENTOML_DO_NOT_TRACK": "True",
            }
        )
        words = [str(port) if word == "PORT" else word for word in side.words]
        self.log = folder / f"{side.name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                words, env=own, stdout=log, stderr=log, start_new_session=True
            )
        self._until_answered()

    def body(self, rows: int = 1) -> Path:
        return self.folder / f"{'bento' if self.side.is_bento else 'body'}{rows}.json"

    def awake(self) -> "Running":
        os.killpg(self.process.pid, signal.SIGCONT)
        return self

    def still(self) -> None:
        os.killpg(self.process.pid, signal.SIGSTOP)

    def end(self) -> None:
        self.awake()
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def ask(self, body: bytes) -> tuple[int, Any]:
        url = f"http://127.0.0.1:{self.port}{self.side.path}"
        asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, None

    def probabilities(self, x: Any) -> list[float] | None:
        """Return the answer to one picture; None if the guard refuses it."""
        if self.side.is_bento:
            body: Any = {"x": [x.tolist()]}
        else:
            tensor = {
                "name": "input",
                "datatype": "FP32",
                "shape": [1, *x.shape],
                "data": x.flatten().tolist(),
            }
            body = {"inputs": [tensor], "outputs": [{"name": "probabilities"}]}
        status, told = self.ask(json.dumps(body).encode())
        if status != 200:
            return None
        return told[0] if self.side.is_bento else told["outputs"][0]["data"]

    def loaded(self, connections: int, seconds: float, rows: int = 1) -> Any:
        """Return what the load generator saw."""
        words = [
            sys.executable,
            HERE / "server_load.py",
            self.port,
            self.side.path,
            self.body(rows),
            connections,
            seconds,
        ]
        told = subprocess.run([str(w) for w in words], capture_output=True, check=True, text=True)
        return json.loads(told.stdout)

    def _until_answered(self) -> None:
        for _ in range(600):
            try:
                if self.ask(self.body().read_bytes())[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        self.end()
        raise SystemExit(f"no answer: {self.log.read_text()[-2000:]}")
