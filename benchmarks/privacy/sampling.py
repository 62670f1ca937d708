"""Poisson samples of 1.2 million examples, 256 on average: milliseconds of CPU time for each batch."""

import statistics
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness import RESULTS, Row, arguments, finish, load
from peer import installed, peer, python_of

from fivefold.core.data import Batch, poisson

HERE = Path(__file__).parent
SIZE = 256
ALIKE = 6.0  # standard errors of the mean size


def ours(n: int, steps: int) -> tuple[float, float]:
    """Return CPU seconds and mean size; the examples are nothing but their row numbers."""
    draws = poisson(Batch(torch.empty(n, 0), torch.empty(n)), SIZE / n, steps, torch.Generator())
    rows = draws.rows(torch.Generator())
    cpu = time.process_time()
    sizes = [len(r) for r in rows]
    return time.process_time() - cpu, statistics.mean(sizes)


def row(n: int, steps: int, repeats: int) -> Row:
    mine, theirs = [], []
    with peer(python_of("opacus"), HERE / "opacus_peer.py") as opacus:
        for _ in range(repeats):
            mine.append(ours(n, steps * 20))
            theirs.append(opacus.ask(do="sample", n=n, size=SIZE, steps=steps))
    a = statistics.median(cpu for cpu, _ in mine) / (20 * steps)
    b = statistics.median(t["cpu"] for t in theirs) / steps
    means = statistics.mean(m for _, m in mine), statistics.mean(t["mean"] for t in theirs)
    error = (SIZE / (steps * repeats)) ** 0.5
    return Row(
        work=f"Poisson batch of {SIZE} from {n:,} examples", peer="opacus",
        peer_version=theirs[0]["version"], ratio=round(b / a, 1), reach=100.0 if n >= 10**6 else 1.0,
        equal_quality=all(abs(m - SIZE) < ALIKE * error for m in means),
        ours={"cpu ms": round(a * 1e3, 4), "mean size": round(means[0], 2)},
        theirs={"cpu ms": round(b * 1e3, 4), "mean size": round(means[1], 2)},
        threads=1, load=load(),
    )  # fmt: skip


def main() -> None:
    asked = arguments(str(__doc__))
    torch.set_num_threads(1)
    if not installed(["opacus"]):
        return
    sizes = (1_200_000,) if asked.quick else (10_000, 100_000, 1_200_000, 10_000_000)
    rows = [row(n, 40, 3 if asked.quick else 7) for n in sizes]
    finish(rows, asked.json or RESULTS / "privacy_sampling.json")


if __name__ == "__main__":
    main()
