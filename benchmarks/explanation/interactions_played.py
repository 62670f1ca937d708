"""How a library plays for interactions: errors of pairs and of main effects, in numbers alone."""

from typing import Any

import numpy as np
from shapley_played import SEED, Array, Counted, Explain, Game

# What is estimated is a square matrix of 2-SII: main effects on the diagonal, pairs on both sides of it.


def played(explain: Explain, games: list[Game], budget: int) -> dict[str, Any]:
    """Return relative squared errors and the sets asked of each game, one seed each; NaN if refused."""
    pairs, mains, asked, refusals = [], [], [], set[str]()
    for i, game in enumerate(games):
        counted = Counted(game)
        try:
            values = np.asarray(explain(counted, budget, SEED + i), dtype=float)
            off = ~np.eye(game.n, dtype=bool)
            pairs.append(relative(values[off], game.truth[off]))
            mains.append(relative(values[~off], game.truth[~off]))
        except (ValueError, RuntimeError, ZeroDivisionError, IndexError, KeyError) as refusal:
            pairs.append(float("nan"))
            mains.append(float("nan"))
            refusals.add(f"{type(refusal).__name__}: {refusal}"[:200])
        asked.append(counted.n_asked)
    return {"error": pairs, "mains": mains, "asked": asked, "refusals": sorted(refusals)}


def relative(values: Array, truth: Array) -> float:
    """Return the squared error as a share of the squared truth."""
    return float(((values - truth) ** 2).sum() / max(float((truth**2).sum()), 1e-30))
