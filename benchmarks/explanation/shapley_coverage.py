"""How often 95 % error bars of Shapley values hold the truth, over 500 games (P6).

The games are those of `shapley_accuracy.py`: five data sets, two models, two sizes of background, 25 rows
of each, a seed of its own for each row. Counted is every feature of every game; and, because a feature that
cannot change the answer is easy, the features with at least a hundredth of the largest value too.
"""

import math
import sys
from pathlib import Path
from statistics import mean

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from harness import RESULTS, Row, arguments, finish, load
from shapley_games import every_case, games
from shapley_ours import LEVERAGE, ODD_KERNEL, Ours
from shapley_played import SEED, Game

from fivefold.core.interval import Z95

LEAST, MOST = 0.90, 0.98
ROUNDING = 1e-9  # of the length of the truth: what is exact may be off by so much


def held(ours: Ours, game: Game, budget: int, seed: int) -> tuple[float, float, float]:
    """Return the shares of features whose bar holds the truth: of all, of those that matter; and mean z^2."""
    found = ours.explained(game.score, game.n, budget, seed)
    assert found.error is not None
    error = found.error[0, :, 0].numpy() + ROUNDING * np.linalg.norm(game.truth)
    away = np.abs(found.values[0, :, 0].numpy() - game.truth)
    is_held, matters = away <= Z95 * error, np.abs(game.truth) >= 0.01 * np.abs(game.truth).max()
    return (
        float(is_held.mean()),
        float(is_held[matters].mean()),
        float(((away / error) ** 2).mean()),
    )


def row(ours: Ours, times: int, everything: dict[str, list[Game]]) -> Row:
    """Return the coverage over all games, with that of the worst case beside it."""
    shares = {
        name: [held(ours, game, times * game.n, SEED + i) for i, game in enumerate(rows)]
        for name, rows in everything.items()
    }
    by_case = {name: mean(s[0] for s in found) for name, found in shares.items()}
    flat = [s for found in shares.values() for s in found]
    whole, worst = mean(s[0] for s in flat), min(by_case, key=lambda k: by_case[k])
    return Row(
        work=f"Coverage of 95 % error bars, {ours.name}, {times} sets per feature",
        peer="nominal",
        peer_version="",
        ratio=whole,
        reach=LEAST,
        equal_quality=whole <= MOST,
        ours={
            "games": len(flat),
            "features that matter": round(mean(s[1] for s in flat), 3),
            "lowest of a case": f"{by_case[worst]:.3f} ({worst})",
            "rms z": round(math.sqrt(mean(s[2] for s in flat)), 2),
        },
        theirs={"asked": f"{LEAST} to {MOST}"},
        threads=1,
        load=load(),
    )


def main() -> None:
    args = arguments(__doc__ or "")
    torch.set_num_threads(1)
    cases, times, count = every_case(), (5, 10, 20), 25
    if args.quick:
        cases, times, count = [c for c in cases if c[0] in ("diabetes", "houses")], (10,), 5
    everything = {f"{n}, {kind}, {b}": games(n, kind, b, count) for n, kind, b in cases}
    rows = [row(ours, t, everything) for t in times for ours in (LEVERAGE, ODD_KERNEL)]
    finish(rows, args.json or RESULTS / "explanation_shapley_coverage.json")


if __name__ == "__main__":
    main()
