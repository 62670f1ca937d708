"""The games of the interactions benchmark: those of the Shapley benchmarks, with exact pairs as their truth."""

import sys
from math import factorial
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from shapley_games import MOST, games
from shapley_played import Array, Game

from fivefold.explanation.coalitions import every_set
from fivefold.explanation.interactions.exact import listed

LEAST = 1e-6  # of main effects: games with smaller pairs have no relative error worth having


def pair_games(name: str, kind: str, behind: int, count: int) -> list[Game]:
    """Return `count` games whose truth is the matrix of exact 2-SII."""
    found = [g._replace(truth=exact(g)) for g in games(name, kind, behind, 2 * count)]
    return [g for g in found if _has_pairs(g.truth)][:count]


def _has_pairs(truth: Array) -> bool:
    main = np.diag(truth)
    return bool(((truth - np.diag(main)) ** 2).sum() > LEAST * (main**2).sum())


def exact(game: Game) -> Array:
    """Return the exact matrix: by listing every set, or in closed form where the game is a sum of terms.

    Where both are possible they are compared.
    """
    by_terms = None if "table" in game.parts else of_terms(game)
    if game.n > MOST:
        assert by_terms is not None
        return by_terms
    keep = every_set(game.n)
    scores = torch.from_numpy(game.score(keep.numpy()).astype(float))
    values = listed(keep, scores[None, :, None])[0, :, :, 0].numpy()
    if by_terms is not None:
        assert np.abs(values - by_terms).max() <= 1e-6 * max(1.0, np.abs(values).max())
    return values


def of_terms(game: Game) -> Array:
    """Return the matrix of a sum of terms `value * [all wanted known, no unwanted known]`.

    With a wanted and b unwanted features, both of a pair wanted add (a - 2)! b! / (a + b - 1)!, both
    unwanted a! (b - 2)! / (a + b - 1)!, and one of each takes away (a - 1)! (b - 1)! / (a + b - 1)!.
    """
    pairs = np.zeros((game.n, game.n))
    for signs, value in zip(game.parts["sign"].T, game.parts["value"], strict=True):
        wanted, unwanted = np.flatnonzero(signs > 0), np.flatnonzero(signs < 0)
        a, b = len(wanted), len(unwanted)
        under = value / factorial(max(a + b - 1, 0))
        if a > 1:
            pairs[np.ix_(wanted, wanted)] += under * factorial(a - 2) * factorial(b)
        if b > 1:
            pairs[np.ix_(unwanted, unwanted)] += under * factorial(a) * factorial(b - 2)
        if a and b:
            cross = under * factorial(a - 1) * factorial(b - 1)
            pairs[np.ix_(wanted, unwanted)] -= cross
            pairs[np.ix_(unwanted, wanted)] -= cross
    np.fill_diagonal(pairs, 0.0)
    return pairs + np.diag(game.truth - pairs.sum(1) / 2)
