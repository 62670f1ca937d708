"""What the guards cost, what batching wins, and how other servers do with the same model.

Servers run one at a time in their own process, turn about; the load comes from another process, the same
for all. Two cores are shared by both.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))

from harness import RESULTS, Row, arguments, finish, load  # noqa: E402  the folder must be known first

PEERS = {"litserve": "LitServe", "bentoml": "BentoML"}
INFER = "/v2/models/digits/infer"


def prepared(folder: Path) -> None:
    """Train the convnet quickly, and write it, its detector and two request bodies."""
    import torch
    from torch import Generator

    from fivefold.data import Bundled
    from fivefold.deploy import guard_papers
    from fivefold.learning import Finetune
    from fivefold.models import ConvNet, fresh
    from fivefold.models.save import save_model

    rng = Generator().manual_seed(0)
    data = Bundled(name="digits").load(Path(), rng)
    model = fresh(ConvNet(width=16), data, rng)
    model = Finetune(epochs=5)(model, data.splits.seen, rng=rng)
    save_model(model, folder)
    for name, content in guard_papers(model, data.splits.seen).items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    x = data.splits.test.x[0]
    assert isinstance(x, torch.Tensor)
    one = {"name": "input", "datatype": "FP32", "shape": [1, 1, 8, 8], "data": x.flatten().tolist()}
    asked = {"inputs": [one], "outputs": [{"name": "probabilities"}]}
    (folder / "body.json").write_text(json.dumps(asked))
    (folder / "bento.json").write_text(json.dumps({"x": [x.tolist()]}))


def command(side: str, folder: Path, port: int) -> tuple[list[str], str, str]:
    """Return how a side is started, where it is asked, and with which body."""
    own = [sys.executable, str(HERE / f"server_{side}.py"), str(folder), str(port)]
    if side == "ours":
        return [*own, str(folder)], INFER, "body.json"
    if side == "bare":
        return own, INFER, "body.json"
    binary = ROOT / ".peers" / side / "bin"
    if side == "litserve":
        return [str(binary / "python"), *own[1:]], "/infer", "body.json"
    start = [str(binary / "bentoml"), "serve", "server_bentoml:Digits", "--port", str(port)]
    return [*start, "--working-dir", str(HERE)], "/infer", "bento.json"


@contextmanager
def running(side: str, folder: Path, port: int) -> Iterator[tuple[int, str, str]]:
    """Start a side, wait until it answers, and end it."""
    words, path, body = command(side, folder, port)
    own = os.environ | {
        "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "BENCH_MODEL": str(folder),
        "BENTOML_DO_NOT_TRACK": "True",
    }  # fmt: skip
    with (folder / f"{side}.log").open("wb") as log:
        process = subprocess.Popen(words, env=own, stdout=log, stderr=log, start_new_session=True)
    try:
        until_answered(port, path, (folder / body).read_bytes(), folder / f"{side}.log")
        yield port, path, body
    finally:
        os.killpg(process.pid, 15)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


def until_answered(port: int, path: str, body: bytes, log: Path) -> None:
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, {"Content-Type": "application/json"})  # fmt: skip
    for _ in range(400):
        try:
            urllib.request.urlopen(asked, timeout=5).read()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"no answer: {log.read_text()[-2000:]}")


def loaded(where: tuple[int, str, str], folder: Path, connections: int, seconds: float) -> Any:
    """Return what the load generator saw."""
    port, path, body = where
    words = [
        sys.executable,
        HERE / "server_load.py",
        port,
        path,
        folder / body,
        connections,
        seconds,
    ]
    told = subprocess.run([str(w) for w in words], capture_output=True, check=True, text=True)
    return json.loads(told.stdout)


def measured(sides: list[str], folder: Path, rounds: int, seconds: float) -> dict[str, Any]:
    """Return medians over rounds: p50 at one connection, rate and p95 at 32."""
    seen: dict[str, list[tuple[float, float, float]]] = {side: [] for side in sides}
    for round_ in range(rounds):
        for i, side in enumerate(sides):
            with running(side, folder, 18100 + 10 * round_ + i) as where:
                loaded(where, folder, 8, 0.5)
                single = loaded(where, folder, 1, seconds)
                many = loaded(where, folder, 32, seconds)
            assert set(many["statuses"]) == {"200"}, (side, many)
            seen[side].append((single["p50"], many["per_second"], many["p95"]))
            print(side, {"p50 ms": single["p50"] * 1e3, "per second": many["per_second"], "p95 ms": many["p95"] * 1e3}, flush=True)  # fmt: skip
    return {
        side: dict(zip(("p50", "per_second", "p95"), map(statistics.median, zip(*r, strict=True)), strict=True))
        for side, r in seen.items()
    }  # fmt: skip


def endurance(folder: Path, seconds: float) -> tuple[Any, Any, float]:
    """Return a long steady load, four times as much, and the seconds until all is well again."""
    with running("ours", folder, 18090) as where:
        steady = loaded(where, folder, 32, seconds)
        over = loaded(where, folder, 128, max(3.0, seconds / 6))
        began = time.perf_counter()
        while set(loaded(where, folder, 8, 0.2)["statuses"]) != {"200"}:
            pass
        return steady, over, time.perf_counter() - began


def row(work: str, peer: str, ratio: float, reach: float, ours: Any, theirs: Any) -> Row:
    return Row(
        work=work, peer=PEERS.get(peer, peer), peer_version=version(peer), ratio=ratio, reach=reach,
        equal_quality=True, ours=ours, theirs=theirs, threads=1, load=load(),
    )  # fmt: skip


def version(peer: str) -> str:
    if peer not in PEERS:
        return ""
    python = ROOT / ".peers" / peer / "bin" / "python"
    asked = f"from importlib.metadata import version; print(version('{peer}'))"
    return subprocess.run([python, "-c", asked], capture_output=True, text=True).stdout.strip()


def main() -> None:
    args = arguments(__doc__ or "")
    rounds, seconds, long = (1, 2.0, 6.0) if args.quick else (5, 5.0, 60.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepared(folder)
        peers = [p for p in PEERS if (ROOT / ".peers" / p / "bin").is_dir()]
        print("left out, not installed:", sorted(set(PEERS) - set(peers)))
        found = measured(["bare", "ours", *peers], folder, rounds, seconds)
        steady, over, recovery = endurance(folder, long)
    ours, bare = found["ours"], found["bare"]
    rows = [
        row("p50 at batch 1, guards and batching on", "bare model", bare["p50"] / ours["p50"], 1 / 1.1, ours, bare),
        row("requests/s at 32 connections", "bare model", ours["per_second"] / bare["per_second"], 2.0, ours, bare),
    ]  # fmt: skip
    for peer in peers:
        theirs = found[peer]
        rows.append(row("requests/s at 32 connections", peer, ours["per_second"] / theirs["per_second"], 1.0, ours, theirs))  # fmt: skip
        rows.append(
            row("p95 at 32 connections", peer, theirs["p95"] / ours["p95"], 1.0, ours, theirs)
        )
    is_clean = float(set(steady["statuses"]) == {"200"})
    rows.append(
        row(f"no error in {long:g} s at 32 connections", "itself", is_clean, 1.0, steady, {})
    )
    refused = over["refused_p95"] or 0.0
    rows.append(row("refusals under fourfold load within 50 ms", "itself", 0.05 / max(refused, 1e-9), 1.0, over, {}))  # fmt: skip
    rows.append(
        row("recovery within 5 s", "itself", 5.0 / recovery, 1.0, {"seconds": recovery}, {})
    )
    finish(rows, args.json or RESULTS / "deploy_server.json")


if __name__ == "__main__":
    main()
