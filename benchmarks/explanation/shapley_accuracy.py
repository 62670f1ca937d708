"""Squared error of Shapley values at equal model evaluations, against shap, shapiq and captum (P1).

Every library plays the same games with the same budget of sets, one row at a time: nothing is learnt from
other rows. A cell is a data set, a model, a size of background and a budget; its error is the mean over
rows (each with a seed of its own) of the relative squared error, and its peer the best of all estimators
in hindsight, which favours them. Budgets that cover every set are left out: all are exact there.
"""

import math
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import geometric_mean, mean, median
from typing import Any, NamedTuple

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from harness import RESULTS, Row, arguments, finish, load
from harness import write as keep
from peer import Peer, installed, peer, python_of
from shapley_games import every_case, games
from shapley_ours import LEVERAGE, ODD_KERNEL
from shapley_played import Game, played, write

PEERS = ("shap", "shapiq", "captum")
TIMES = (3, 5, 10, 20, 40, 100)  # sets per feature
REACH, WORST = 2.0, 1 / 1.2  # of the peer's error over ours: on the whole, and in any cell


class Cell(NamedTuple):
    """What every estimator made of one cell."""

    times: int
    found: dict[str, dict[str, Any]]

    def best(self) -> str:
        """Return the peer with the smallest error; one that refused a game is out."""
        told = {
            k: error(v) for k, v in self.found.items() if k not in (LEVERAGE.name, ODD_KERNEL.name)
        }
        return min(told, key=lambda k: told[k])

    def ratio(self, ours: str) -> float:
        return error(self.found[self.best()]) / max(error(self.found[ours]), 1e-30)


class Library(NamedTuple):
    """A peer that runs, and what it can do."""

    name: str
    version: str
    estimators: list[str]
    process: Peer

    def ask_all(self, file: Path, budget: int) -> dict[str, dict[str, Any]]:
        asked = {"file": str(file), "budget": budget}
        return {name: self.process.ask(estimator=name, **asked) for name in self.estimators}


def started(name: str, until: ExitStack) -> Library:
    script = Path(__file__).with_name("shapley_peer.py")
    process = until.enter_context(peer(python_of(name), script, name))
    told = process.answer()
    return Library(name, told["version"], told["estimators"], process)


def error(found: dict[str, Any]) -> float:
    """Return the mean error; infinite if a game was refused."""
    value = mean(found["error"])
    return value if math.isfinite(value) else math.inf


def cell(rows: list[Game], times: int, peers: list[Library], file: Path) -> Cell:
    """Let every estimator play; those of a peer in its own process, beside ours."""
    budget = times * rows[0].n
    found: dict[str, dict[str, Any]] = {}
    pool = ThreadPoolExecutor(max(1, len(peers)))
    theirs = [pool.submit(library.ask_all, file, budget) for library in peers]
    for ours in (LEVERAGE, ODD_KERNEL):
        start = time.process_time()
        found[ours.name] = played(ours, rows, budget) | {"cpu": time.process_time() - start}
    for told in theirs:
        found |= told.result()
    pool.shutdown()
    return Cell(times, found)


def row_of(work: str, cells: list[Cell], version: str, reach: float, ratio: float) -> Row:
    """Return a row: errors of each budget, ours and the best peer's."""
    best = [c.best() for c in cells]
    return Row(
        work=work,
        peer="best of shap, shapiq, captum",
        peer_version=version,
        ratio=ratio,
        reach=reach,
        equal_quality=all(mean(c.found[ODD_KERNEL.name]["asked"]) <= budget_of(c) for c in cells),
        ours={
            "sets per feature": [c.times for c in cells],
            "OddKernelSHAP": [short(error(c.found[ODD_KERNEL.name])) for c in cells],
            "LeverageSHAP": [short(error(c.found[LEVERAGE.name])) for c in cells],
            "median ratio": [round(middle(c), 2) for c in cells],
            "cpu ms per row": [per_row(c, ODD_KERNEL.name) for c in cells],
        },
        theirs={
            "error": [short(error(c.found[name])) for c, name in zip(cells, best, strict=True)],
            "estimator": best,
            "cpu ms per row": [per_row(c, name) for c, name in zip(cells, best, strict=True)],
        },
        threads=1,
        load=load(),
    )


def budget_of(cell: Cell) -> float:
    return cell.found[ODD_KERNEL.name]["budget"]


def middle(cell: Cell) -> float:
    """Return the ratio of medians over rows, which single hard rows do not decide."""
    theirs, ours = (cell.found[k]["error"] for k in (cell.best(), ODD_KERNEL.name))
    return median(theirs) / max(median(ours), 1e-30)


def per_row(cell: Cell, name: str) -> float:
    found = cell.found[name]
    return round(found["cpu"] / len(found["error"]) * 1e3, 1)


def short(value: float) -> str:
    return f"{value:.1e}"


def main() -> None:
    args = arguments(__doc__ or "")
    out = args.json or RESULTS / "explanation_shapley_accuracy.json"
    torch.set_num_threads(1)
    cases, times, count = (every_case(), TIMES, 20)
    if args.quick:
        cases, times, count = [c for c in cases if c[0] == "diabetes"], (3, 10), 4
    rows: list[Row] = []
    ratios: list[float] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as until:
        peers = [started(name, until) for name in installed(PEERS)]
        version = ", ".join(f"{library.name} {library.version}" for library in peers)
        for name, kind, behind in cases:
            played_here, file = games(name, kind, behind, count), Path(folder) / "games.npz"
            write(played_here, file)
            n = played_here[0].n
            cells = [cell(played_here, t, peers, file) for t in times if t * n < 2**n]
            ratios += [c.ratio(ODD_KERNEL.name) for c in cells]
            worst = min(c.ratio(ODD_KERNEL.name) for c in cells)
            work = f"Shapley error, {name}, {kind}, background {behind}, worst budget"
            rows.append(row_of(work, cells, version, WORST, worst))
            print(f"{work}: {np.round([c.ratio(ODD_KERNEL.name) for c in cells], 2)}", flush=True)
            keep([*rows, whole(ratios, version, count)], out)
    rows.append(whole(ratios, version, count))
    finish(rows, out)


def whole(ratios: list[float], version: str, count: int) -> Row:
    """Return the row of the geometric mean over all cells."""
    return Row(
        work=f"Shapley error at equal evaluations, geometric mean of {len(ratios)} cells",
        peer="best of shap, shapiq, captum",
        peer_version=version,
        ratio=geometric_mean(ratios),
        reach=REACH,
        equal_quality=True,
        ours={"rows and seeds per cell": count, "cells won": sum(r > 1 for r in ratios)},
        theirs={"cells won": sum(r < 1 for r in ratios)},
        threads=1,
        load=load(),
    )


if __name__ == "__main__":
    main()
