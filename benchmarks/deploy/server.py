"""What guards, batching and records cost together, and how other servers do with the same model.

Every server is one worker process with one thread for its sums; the load comes from another process, the same
for all, and both share the machine. Servers stand still (SIGSTOP) while another is measured; rounds are
interleaved and medians are taken. Before that each side must answer the same pictures with the same
probabilities. Of every peer, and of the bare model (called in the event loop, or in a worker thread), several
settings are tried and the best one counts.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))

from harness import RESULTS, Row, arguments, finish, load
from server_sides import ROOT, Running, python_of, sides

PEERS = {"litserve": "LitServe", "bentoml": "BentoML"}
CONNECTIONS = 32
OVERLOAD_ROWS = 64  # so that the queue fills up at four times the connections
PICTURES = 40


def prepared(folder: Path) -> Any:
    """Train the convnet quickly; write it, its detector, its reference and the bodies; return test pictures."""
    from torch import Generator

    from fivefold.data import Bundled
    from fivefold.deploy import guard_papers
    from fivefold.deploy.watch import REFERENCE, reference_paper
    from fivefold.learning import Finetune
    from fivefold.models import ConvNet, fresh
    from fivefold.models.save import save_model

    rng = Generator().manual_seed(0)
    data = Bundled(name="digits").load(Path(), rng)
    model = fresh(ConvNet(width=16), data, rng)
    model = Finetune(epochs=5)(model, data.splits.seen, rng=rng)
    save_model(model, folder)
    papers = {
        REFERENCE: reference_paper(model, data.splits.seen),
        **guard_papers(model, data.splits.seen),
    }
    for name, content in papers.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    x = data.splits.test.x[:PICTURES]
    for rows in (1, OVERLOAD_ROWS):
        values = x[0].flatten().tolist() * rows
        one = {"name": "input", "datatype": "FP32", "shape": [rows, 1, 8, 8], "data": values}
        asked = {"inputs": [one], "outputs": [{"name": "probabilities"}]}
        (folder / f"body{rows}.json").write_text(json.dumps(asked))
        (folder / f"bento{rows}.json").write_text(json.dumps({"x": [x[0].tolist()] * rows}))
    return x, model.predict(x).softmax(1)


def best_of(folder: Path, name: str, port: int, seconds: float, tries: int) -> Running:
    """Start every setting of one server in turn, and return the one that answers most at 32 connections."""
    found: list[tuple[float, Any]] = []
    for side in sides(folder, name)[:tries]:
        one = Running(side, folder, port)
        one.loaded(CONNECTIONS, seconds / 4)
        found.append((one.loaded(CONNECTIONS, seconds)["per_second"], side))
        one.end()
        print(f"{name}, {side.setting}: {found[-1][0]:.0f} requests/s", flush=True)
    return Running(max(found, key=lambda f: f[0])[1], folder, port)


def is_equal(one: Running, x: Any, wanted: Any) -> bool:
    """Return whether a side answers as the model does; what our guard refuses is left out, if it is little."""
    answers = [one.probabilities(picture) for picture in x]
    given = [(a, w) for a, w in zip(answers, wanted.tolist(), strict=True) if a is not None]
    worst = max(abs(p - q) for a, w in given for p, q in zip(a, w, strict=True))
    print(
        f"{one.side.name}: {len(given)} of {len(x)} pictures answered, largest difference {worst:.1e}",
        flush=True,
    )
    return worst < 1e-5 and len(given) >= 0.9 * len(x)


def measured(running: list[Running], rounds: int, seconds: float) -> dict[str, dict[str, float]]:
    """Return medians over rounds: p50 at one connection, rate and p95 at 32."""
    seen: dict[str, list[tuple[float, float, float]]] = {
        one.side.name + one.side.setting: [] for one in running
    }
    for _ in range(rounds):
        for one in running:
            one.awake().loaded(8, seconds / 10)
            single, many = one.loaded(1, seconds), one.loaded(CONNECTIONS, seconds)
            one.still()
            assert set(many["statuses"]) == {"200"}, (one.side, many)
            seen[one.side.name + one.side.setting].append(
                (single["p50"], many["per_second"], many["p95"])
            )
            print(
                one.side.name,
                one.side.setting,
                {
                    "p50 ms": 1e3 * single["p50"],
                    "per second": many["per_second"],
                    "p95 ms": 1e3 * many["p95"],
                },
                flush=True,
            )
    return {
        name: dict(
            zip(
                ("p50", "per_second", "p95"),
                map(statistics.median, zip(*r, strict=True)),
                strict=True,
            )
        )
        for name, r in seen.items()
    }


def endurance(ours: Running, seconds: float) -> tuple[Any, Any, float]:
    """Return a long steady load, four times as much, and the seconds until all is well again."""
    steady = ours.awake().loaded(CONNECTIONS, seconds)
    over = ours.loaded(4 * CONNECTIONS, max(3.0, seconds / 6), OVERLOAD_ROWS)
    began = time.perf_counter()
    while set(ours.loaded(8, 0.2)["statuses"]) != {"200"} and time.perf_counter() - began < 60:
        pass
    return steady, over, time.perf_counter() - began


def row(
    work: str, peer: str, ratio: float, reach: float, ours: Any, theirs: Any, *, equal: bool
) -> Row:
    return Row(
        work=work,
        peer=PEERS.get(peer, peer),
        peer_version=version(peer),
        ratio=ratio,
        reach=reach,
        equal_quality=equal,
        ours=ours,
        theirs=theirs,
        threads=1,
        load=load(),
    )


def version(peer: str) -> str:
    if peer not in PEERS:
        return ""
    asked = f"from importlib.metadata import version; print(version('{peer}'))"
    return subprocess.run(
        [python_of(peer), "-c", asked], capture_output=True, text=True
    ).stdout.strip()


def compared(folder: Path, rounds: int, seconds: float, long: float, tries: int) -> list[Row]:
    x, wanted = prepared(folder)
    peers = [p for p in PEERS if (ROOT / ".peers" / p / "bin").is_dir()]
    print("left out, not installed:", sorted(set(PEERS) - set(peers)))
    running: list[Running] = []
    try:
        for i, side in enumerate([*sides(folder, "ours"), *sides(folder, "bare")]):
            running.append(Running(side, folder, 18100 + i))
            running[-1].still()
        for i, peer in enumerate(peers):
            running.append(best_of(folder, peer, 18110 + i, seconds, tries))
            running[-1].still()
        equal = {}
        for one in running:
            equal[one.side.name + one.side.setting] = is_equal(one.awake(), x, wanted)
            one.still()
        found = measured(running, rounds, seconds)
        return [*rows_of(running, found, equal), *rows_of_endurance(running[0], long)]
    finally:
        for one in running:
            one.end()


def rows_of(running: list[Running], found: dict[str, Any], equal: dict[str, bool]) -> list[Row]:
    names = {one.side.name: [] for one in running}
    for one in running:
        names[one.side.name].append(one.side.name + one.side.setting)
    (us,), bare = names["ours"], names["bare"]
    ours = found[us]
    quick = min(bare, key=lambda n: found[n]["p50"])
    busy = max(bare, key=lambda n: found[n]["per_second"])
    rows = [
        row(
            "p50 at batch 1 with guards, batching, monitor and audit log",
            quick.replace("bare", "bare model, "),
            found[quick]["p50"] / ours["p50"],
            1 / 1.1,
            ours,
            found[quick],
            equal=equal[us] and equal[quick],
        ),
        row(
            "requests/s at 32 connections",
            busy.replace("bare", "bare model, "),
            ours["per_second"] / found[busy]["per_second"],
            2.0,
            ours,
            found[busy],
            equal=equal[us] and equal[busy],
        ),
    ]
    for peer in PEERS.keys() & names.keys():
        (name,) = names[peer]
        theirs, same = found[name] | {"setting": name.removeprefix(peer)}, equal[us] and equal[name]
        rows.append(
            row(
                "requests/s at 32 connections",
                peer,
                ours["per_second"] / theirs["per_second"],
                1.0,
                ours,
                theirs,
                equal=same,
            )
        )
        rows.append(
            row(
                "p95 at 32 connections",
                peer,
                theirs["p95"] / ours["p95"],
                1.0,
                ours,
                theirs,
                equal=same,
            )
        )
    return rows


def rows_of_endurance(ours: Running, long: float) -> list[Row]:
    steady, over, recovery = endurance(ours, long)
    is_clean = float(set(steady["statuses"]) == {"200"})
    refused = over["refused_p95"]
    is_fair = set(over["statuses"]) <= {"200", "429", "503"}
    return [
        row(
            f"no error in {long:g} s at 32 connections",
            "itself",
            is_clean,
            1.0,
            steady,
            {},
            equal=True,
        ),
        row(
            "p95 of refusals within 50 ms under four times the connections",
            "itself",
            0.05 / refused if refused else 0.0,
            1.0,
            over,
            {},
            equal=is_fair,
        ),
        row(
            "recovery within 5 s",
            "itself",
            5.0 / recovery,
            1.0,
            {"seconds": recovery},
            {},
            equal=True,
        ),
    ]


def main() -> None:
    args = arguments(__doc__ or "")
    rounds, seconds, long, tries = (1, 1.0, 3.0, 1) if args.quick else (7, 4.0, 60.0, 3)
    with tempfile.TemporaryDirectory() as name:
        rows = compared(Path(name), rounds, seconds, long, tries)
    finish(rows, args.json or RESULTS / "deploy_server.json")


if __name__ == "__main__":
    main()
