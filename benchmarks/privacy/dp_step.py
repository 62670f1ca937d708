"""A step of DP-SGD over a plain step, and against Opacus 1.6, at equal clipped sums (relative 1e-4).

A step is forward, backward, clipping at 1, noise of deviation 1 on every weight, and SGD. Sides take turns
in processes of their own, one thread each; CPU time is what counts. Our noise is AES in counter mode and
float64, theirs torch's generator in float32; what a step costs without noise is told beside. The peak is
the largest resident size of a fresh process. Our engine checks itself against each example alone at the
batches 1, 2, 4, 16, 64, ...; such batches cost a few steps more and are not among those timed.
"""

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness import RESULTS, Row, Times, arguments, finish, load
from networks import CASES
from peer import Peer, installed, peer, python_of

HERE = Path(__file__).parent
MODES = ("ghost", "hooks")
QUICK = ("MLP 64-256-256-10, batch 256", "LoRA in a transformer 128 wide, 64 tokens, batch 16")


def off(case: str, mode: str, ours: Peer, theirs: Peer, folder: str) -> float:
    """Return the relative distance between both sides' clipped sums."""
    files = [f"{folder}/ours", f"{folder}/theirs"]
    ours.ask(do="sum", case=case, file=files[0])
    theirs.ask(do="sum", case=case, mode=mode, file=files[1])
    a, b = load_file(files[0]), load_file(files[1])
    assert a.keys() == b.keys()
    apart = sum(float((a[k] - b[k]).square().sum()) for k in a)
    return (apart / sum(float(v.square().sum()) for v in b.values())) ** 0.5


def timed(turns: list[tuple[str, Peer]], repeats: int) -> dict[str, Times]:
    """Return the median seconds of one step of each side, taking turns."""
    n = {mode: one_more(side, mode) for mode, side in turns}
    seen: dict[str, list[dict[str, float]]] = {mode: [] for mode, _ in turns}
    for _ in range(repeats):
        for mode, side in turns:
            seen[mode].append(side.ask(do="time", mode=mode, n=n[mode]))
    return {
        mode: Times(*(statistics.median(t[k] for t in times) / n[mode] for k in ("wall", "cpu")))
        for mode, times in seen.items()
    }


def one_more(side: Peer, mode: str) -> int:
    """Return how many steps take about a twentieth of a second."""
    side.ask(do="time", mode=mode, n=1)
    return max(1, int(0.05 / side.ask(do="time", mode=mode, n=1)["cpu"]))


def peak(python: str | Path, script: Path, case: str, mode: str) -> float:
    with peer(python, script) as fresh:
        fresh.ask(do="make", case=case, mode=mode)
        fresh.ask(do="time", mode=mode, n=3)
        return fresh.ask(do="peak")["peak"] / 2**20


def told(times: Times, mebibytes: float) -> dict[str, Any]:
    return {
        "cpu ms": round(times.cpu * 1e3, 2),
        "wall ms": round(times.wall * 1e3, 2),
        "peak MiB": round(mebibytes),
    }


def rows_of(case: str, repeats: int) -> list[Row]:
    with (
        peer(sys.executable, HERE / "our_side.py") as ours,
        peer(python_of("opacus"), HERE / "opacus_peer.py") as theirs,
        tempfile.TemporaryDirectory() as folder,
    ):
        apart = {mode: off(case, mode, ours, theirs, folder) for mode in MODES}
        for mode in ("plain", "private", "quiet"):
            ours.ask(do="make", case=case, mode=mode)
        for mode in MODES:
            version = theirs.ask(do="make", case=case, mode=mode)["version"]
        turns = [(m, ours) for m in ("plain", "private", "quiet")] + [(m, theirs) for m in MODES]
        times = timed(turns, repeats)
    peaks = {
        m: peak(sys.executable, HERE / "our_side.py", case, m) for m in ("plain", "private")
    } | {m: peak(python_of("opacus"), HERE / "opacus_peer.py", case, m) for m in MODES}

    def row(work: str, against: str, ratio: float, reach: float, equal: bool) -> Row:
        mine = told(times["private"], peaks["private"])
        mine["cpu ms without noise"] = round(times["quiet"].cpu * 1e3, 2)
        mine |= {f"clipped sum off by ({m})": float(f"{apart[m]:.1e}") for m in MODES if m in against}  # fmt: skip
        name, number = ("plain torch", "") if against == "plain" else (f"opacus {against}", version)
        return Row(
            work=f"{work}, {case}", peer=name, peer_version=number, ratio=round(ratio, 3),
            reach=round(reach, 3), equal_quality=equal, ours=mine,
            theirs=told(times[against], peaks[against]), threads=1, load=load(),
        )  # fmt: skip

    def quicker(mode: str, reach: float) -> Row:
        ratio = times[mode].cpu / times["private"].cpu
        return row("DP step", mode, ratio, reach, mode == "plain" or apart[mode] < 1e-4)

    most = 1.4 if "CNN" in case else 1.3
    smaller = row("peak memory of a DP step", "plain", peaks["plain"] / peaks["private"], 1 / 1.3, True)  # fmt: skip
    default = quicker("hooks", 20.0 if "MLP" in case else 1.0)
    return [quicker("plain", 1 / most), quicker("ghost", 1.7), default, smaller]


def main() -> None:
    asked = arguments(str(__doc__))
    if not installed(["opacus"]):
        return
    cases = QUICK if asked.quick else tuple(CASES)
    rows = [row for case in cases for row in rows_of(case, 5 if asked.quick else 15)]
    finish(rows, asked.json or RESULTS / "privacy_dp_step.json")


if __name__ == "__main__":
    main()
