"""Games in numbers alone, so that every library plays the very same ones: a table of scores, or terms of trees."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
AT_ONCE = 2**23  # comparisons held at one time
SEED = 1000  # of the first run; each game has a seed of its own


class Game(NamedTuple):
    """What a model says on average over the background when some features are known, and the truth."""

    n: int
    parts: dict[str, Array]
    truth: Array

    def score(self, keep: Array) -> Array:
        """Return the score of each set of known features, `(sets, features)` of zeros and ones."""
        keep = np.atleast_2d(np.asarray(keep))
        if "table" in self.parts:
            return self.parts["table"][(keep > 0.5) @ (1 << np.arange(self.n))]
        size = max(1, AT_ONCE // len(self.parts["value"]))
        kept = (keep > 0.5).astype(np.float32)
        found = [self._terms(kept[i : i + size]) for i in range(0, len(kept), size)]
        return np.concatenate(found)

    def _terms(self, keep: Array) -> Array:
        """A term is in the sum if all its wanted features are known and none of the unwanted."""
        is_met = keep @ self.parts["sign"] == self.parts["wanted"]
        return is_met @ self.parts["value"] + self.parts["base"]


class Counted:
    """A game that counts how many sets it was asked about; sets asked twice count twice."""

    def __init__(self, game: Game) -> None:
        self.game, self.n_asked = game, 0

    def __call__(self, keep: Array) -> Array:
        keep = np.atleast_2d(keep)
        self.n_asked += len(keep)
        return self.game.score(keep)


Explain: TypeAlias = Callable[[Counted, int, int], Array]  # (game, budget, seed) -> values


def played(explain: Explain, games: list[Game], budget: int) -> dict[str, Any]:
    """Return the relative squared error and the sets asked of each game, one seed each; NaN if refused."""
    errors, asked, refusals = [], [], set[str]()
    for i, game in enumerate(games):
        counted = Counted(game)
        try:
            values = np.asarray(explain(counted, budget, SEED + i), dtype=float).reshape(-1)
            errors.append(float(((values - game.truth) ** 2).sum() / (game.truth**2).sum()))
        except (ValueError, RuntimeError, ZeroDivisionError) as refusal:
            errors.append(float("nan"))
            refusals.add(f"{type(refusal).__name__}: {refusal}")
        asked.append(counted.n_asked)
    return {"error": errors, "asked": asked, "refusals": sorted(refusals), "budget": budget}


def write(games: list[Game], file: Path) -> None:
    """Write games to one file."""
    told = {
        f"{i}/{name}": part for i, game in enumerate(games) for name, part in game.parts.items()
    }
    told |= {f"{i}/truth": game.truth for i, game in enumerate(games)}
    np.savez(file, n=np.array(games[0].n), count=np.array(len(games)), **told)


def read(file: Path) -> list[Game]:
    """Return the games of a file."""
    with np.load(file) as told:
        loaded = {name: told[name] for name in told.files}
    games: list[Game] = []
    for i in range(int(loaded["count"])):
        parts = {k.partition("/")[2]: v for k, v in loaded.items() if k.startswith(f"{i}/")}
        truth = parts.pop("truth")
        games.append(Game(int(loaded["n"]), parts, truth))
    return games
