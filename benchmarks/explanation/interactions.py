"""Squared error of pairwise Shapley interactions at equal model evaluations, against shapiq.

Both sides play the games of the Shapley benchmarks, one row at a time, with the same budget of sets. The
truth is 2-SII, listed or in closed form. A cell is a data set, a model, a size of background and a budget;
its error is the mean over rows (each with a seed of its own) of the squared error of all pairs over their
squares, so that 1 is what saying "no interactions" costs. Its peer is the best of all estimators in
hindsight, which favours them. Main effects are told beside it. Budgets of every set are left out.
"""

import math
import sys
import tempfile
import time
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
from interactions_games import pair_games
from interactions_played import played
from peer import Peer, installed, peer, python_of
from shapley_games import every_case
from shapley_ours import OfGame, columns_of
from shapley_played import Array, Counted, Game, write

from fivefold.explanation import SampledInteractions

TIMES = (5, 10, 20, 40)  # sets per feature
REACH, WORST = 2.0, 1 / 1.2  # of the peer's error over ours: on the whole, and in any cell
SLOW = ("SVARMIQ", "SVARMIQ, paired")  # seconds a row where there are many columns
MANY = 14  # columns; beyond them the slow ones are left out


class Cell(NamedTuple):
    """What everybody made of one cell."""

    times: int
    ours: dict[str, Any]
    theirs: dict[str, dict[str, Any]]

    def best(self) -> str:
        """Return the peer with the smallest error; one that refused a game is out."""
        return min(self.theirs, key=lambda name: error(self.theirs[name]))

    def ratio(self) -> float:
        return error(self.theirs[self.best()]) / max(error(self.ours), 1e-30)

    def middle(self) -> float:
        """Return the ratio of medians over rows, which single hard rows do not decide."""
        theirs = median(self.theirs[self.best()]["error"])
        return theirs / max(median(self.ours["error"]), 1e-30)


def error(found: dict[str, Any], part: str = "error") -> float:
    """Return the mean error; infinite if a game was refused."""
    value = mean(found[part])
    return value if math.isfinite(value) else math.inf


def explain(game: Counted, budget: int, seed: int) -> Array:
    """Return our matrix of one game."""
    n = game.game.n
    rng = torch.Generator().manual_seed(seed)
    model = OfGame(game, columns_of(n))
    found = SampledInteractions(budget=budget)(model, torch.ones(1, n), torch.zeros(1, n), rng=rng)
    return found.values[0, :, :, 0].numpy()


def cell(rows: list[Game], times: int, process: Peer, names: list[str], file: Path) -> Cell:
    """Let both sides play, one after the other."""
    n = rows[0].n
    start = time.process_time()
    ours = played(explain, rows, times * n) | {"cpu": time.process_time() - start}
    asked = {"file": str(file), "budget": times * n}
    able = [name for name in names if n <= MANY or name not in SLOW]
    return Cell(times, ours, {name: process.ask(estimator=name, **asked) for name in able})


def row_of(work: str, cells: list[Cell], n: int, version: str) -> Row:
    """Return the row of a case: its worst budget, and the errors of all."""
    best = [c.theirs[c.best()] for c in cells]
    return Row(
        work=work,
        peer="best of shapiq's estimators",
        peer_version=version,
        ratio=min(c.ratio() for c in cells),
        reach=WORST,
        equal_quality=all(max(c.ours["asked"]) <= c.times * n for c in cells),
        ours={
            "sets per feature": [c.times for c in cells],
            "pairs": [short(error(c.ours)) for c in cells],
            "main effects": [short(error(c.ours, "mains")) for c in cells],
            "median ratio": [round(c.middle(), 2) for c in cells],
            "cpu ms per row": [per_row(c.ours) for c in cells],
        },
        theirs={
            "pairs": [short(error(b)) for b in best],
            "main effects": [short(error(b, "mains")) for b in best],
            "estimator": [c.best() for c in cells],
            "cpu ms per row": [per_row(b) for b in best],
        },
        threads=1,
        load=load(),
    )


def per_row(found: dict[str, Any]) -> float:
    return round(found["cpu"] / len(found["error"]) * 1e3, 1)


def short(value: float) -> str:
    return f"{value:.1e}"


def whole(ratios: list[float], version: str, count: int) -> Row:
    """Return the row of the geometric mean over all cells."""
    return Row(
        work=f"pairwise interactions at equal evaluations, geometric mean of {len(ratios)} cells",
        peer="best of shapiq's estimators",
        peer_version=version,
        ratio=geometric_mean(ratios),
        reach=REACH,
        equal_quality=True,
        ours={"rows and seeds per cell": count, "cells won": sum(r > 1 for r in ratios)},
        theirs={"cells won": sum(r < 1 for r in ratios)},
        threads=1,
        load=load(),
    )


def main() -> None:
    args = arguments(__doc__ or "")
    out = args.json or RESULTS / "explanation_interactions.json"
    torch.set_num_threads(1)
    cases, times, count = every_case(), TIMES, 20
    if args.quick:
        cases, times, count = [c for c in cases if c[0] == "diabetes" and c[2] == 1], (5, 20), 3
    if not installed(["shapiq"]):
        return
    rows: list[Row] = []
    ratios: list[float] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as until:
        script = Path(__file__).with_name("interactions_peer.py")
        process = until.enter_context(peer(python_of("shapiq"), script))
        told = process.answer()
        version, names, file = told["version"], told["estimators"], Path(folder) / "games.npz"
        for name, kind, behind in cases:
            games = pair_games(name, kind, behind, count)
            write(games, file)
            n = games[0].n
            cells = [cell(games, t, process, names, file) for t in times if t * n < 2**n]
            ratios += [c.ratio() for c in cells]
            work = f"pairs, {name}, {kind}, background {behind}, worst budget"
            rows.append(row_of(work, cells, n, version))
            print(f"{work}: {np.round([c.ratio() for c in cells], 2)}", flush=True)
            keep([*rows, whole(ratios, version, count)], out)
    rows.append(whole(ratios, version, count))
    finish(rows, out)


if __name__ == "__main__":
    main()
