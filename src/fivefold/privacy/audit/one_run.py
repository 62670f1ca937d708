"""What guesses about many canaries prove of epsilon, in one run (Steinke, Nasr and Jagielski, 2023).

Each canary was included by a fair coin of its own. Whoever saw nothing but the outcome of a mechanism that
is (epsilon, delta)-private guesses some of the coins, and can hardly be right too often.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import exp
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

ALPHA = 0.05  # one minus the confidence
FEWEST = 20  # guesses that are tried; fewer prove next to nothing, and every try costs the others
LARGEST = 50.0  # epsilon beyond which nothing is looked for
FINER = 2**-0.5
HALVINGS = 40


class Guess(NamedTuple):
    """How many canaries are said to be inside, and how many outside; the others are passed over."""

    inside: int
    outside: int


class Proved(NamedTuple):
    """The best of several bounds, each held with its share of the error.

    Attributes:
        epsilon: Lower bound; 0 if nothing is proved.
        guesses: Canaries that were guessed.
        right: Guesses that were right.
        tried: Ways to guess among which this one was chosen.
    """

    epsilon: float
    guesses: int
    right: int
    tried: int


def p_value(right: int, guesses: int, canaries: int, epsilon: float, delta: float) -> float:
    """Return the largest chance that an (epsilon, delta)-private mechanism allows so many right guesses.

    With W binomial over the guesses at rate e^eps / (1 + e^eps) it is P[W >= v] + 2 m delta max over i of
    P[v - i <= W < v] / i, where v guesses of m canaries are right (Theorem 5.2 of the paper).
    """
    from scipy.stats import binom

    rate = 1 / (1 + exp(-epsilon))
    beyond = float(binom.sf(right - 1, guesses, rate))
    if not delta or not right:
        return beyond
    i = np.arange(1, right + 1)
    near = binom.sf(right - i - 1, guesses, rate) - beyond
    return min(1.0, beyond + 2 * canaries * delta * float((near / i).max()))


@lru_cache(maxsize=4096)
def epsilon_bound(
    right: int, guesses: int, canaries: int, delta: float, alpha: float = ALPHA
) -> float:
    """Return an epsilon that the truth lies below with a chance of at most `alpha`; 0 if none does."""
    if p_value(right, guesses, canaries, 0.0, delta) > alpha:
        return 0.0
    low, high = 0.0, LARGEST
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if p_value(right, guesses, canaries, middle, delta) > alpha:
            high = middle
        else:
            low = middle
    return low


def ladder(canaries: int) -> list[Guess]:
    """Return the ways to guess that are tried, settled before anything was seen.

    Both ends of the order from all canaries down by halves, or only those that look inside, in finer steps:
    where a part of the canaries is betrayed without doubt, nobody knows beforehand how many.
    """
    half = canaries // 2
    both = [half >> i for i in range(3) if half >> i >= FEWEST // 2]
    single = [round(half * FINER**i) for i in range(64) if half * FINER**i >= FEWEST]
    found = [Guess(k, k) for k in both] + [Guess(k, 0) for k in single]
    return found or [Guess(half, half)]


def largest_provable(canaries: int, delta: float, scores: int = 1, alpha: float = ALPHA) -> float:
    """Return the bound that `proved` gives when every guess is right: no audit of this size shows more."""
    ways = ladder(canaries)
    share = alpha / (len(ways) * scores)
    counts = {sum(guess) for guess in ways}
    return max(epsilon_bound(n, n, canaries, delta, share) for n in counts)


def proved(
    scores: Sequence[Float[Tensor, " canary"]],
    inside: Bool[Tensor, " canary"],
    delta: float,
    alpha: float = ALPHA,
) -> Proved:
    """Return what the best of several scores proves, with one error for all that was tried (Bonferroni).

    Args:
        scores: Each says which canaries look included: the larger, the more.
        inside: Which were.
        delta: Probability with which the bound on epsilon may fail.
        alpha: Chance of proving too much.
    """
    canaries = len(inside)
    ways = ladder(canaries)
    tried = len(ways) * len(scores)
    best = Proved(0.0, 0, 0, tried)
    for score in scores:
        truth = inside[score.argsort(descending=True, stable=True)]
        for guess in ways:
            right = int(truth[: guess.inside].sum())
            right += int((~truth[canaries - guess.outside :]).sum())
            epsilon = epsilon_bound(right, sum(guess), canaries, delta, alpha / tried)
            if epsilon > best.epsilon or not best.guesses:
                best = Proved(epsilon, sum(guess), right, tried)
    return best


def coins(n: int, rng: torch.Generator) -> Bool[Tensor, " canary"]:
    """Return `n` fair coins."""
    return torch.randint(2, (n,), generator=rng).bool()
