"""Shapley values of one leaf for every set of features that a row may fail (interventional TreeSHAP).

A leaf is a box: a row is inside unless it fails some features' conditions. Against a background row that
fails the set Q, a row that fails P comes to the leaf with the features of Q known and those of P hidden,
if P and Q share none. Each of Q then earns (|Q| - 1)! |P|! / (|P| + |Q|)!, and each of P loses
|Q|! (|P| - 1)! / (|P| + |Q|)!. How often each Q occurs is all that is needed of the background.
"""

from functools import cache
from math import factorial

import torch
from jaxtyping import Float, Int
from torch import Tensor


@cache
def shares(n: int) -> tuple[Float[Tensor, "failed known"], Float[Tensor, "failed known"]]:
    """Return what one of |Q| features earns and what one of |P| loses, for up to `n` features in all."""
    earns, loses = (torch.zeros(n + 1, n + 1, dtype=torch.float64) for _ in range(2))
    for p in range(n + 1):
        for q in range(n + 1 - p):
            if q:
                earns[p, q] = factorial(q - 1) * factorial(p) / factorial(p + q)
            if p:
                loses[p, q] = factorial(q) * factorial(p - 1) / factorial(p + q)
    return earns, loses


def bits(sets: Int[Tensor, "*sets"], n: int) -> Int[Tensor, "*sets features"]:
    """Return which of `n` features each set holds."""
    return (sets[..., None] >> torch.arange(n)) & 1


def leaf_tables(
    failed: Int[Tensor, "leaves background"], n: int
) -> Float[Tensor, "leaves features sets"]:
    """Return, for leaves that ask about `n` features each, the values of a leaf that holds 1.

    Args:
        failed: The set that each background row fails at each leaf, as bits.
        n: How many features each leaf asks about.
    """
    by_size = _below(_histogram(failed, n), n)
    left = n - bits(torch.arange(2**n), n).sum(1)  # how many a set lacks
    earns, loses = shares(n + 1)
    # what a row earns that fails all that a set lacks; all but one; and what it loses
    all_known = _weighted(by_size, earns[left])
    one_known = _weighted(by_size, earns[(left - 1).clamp(min=0)])
    lost = _weighted(by_size, loses[left])
    out = torch.empty(len(failed), n, 2**n, dtype=torch.float64)
    for feature in range(n):
        halves = (len(failed), 2 ** (n - 1 - feature), 2, 2**feature)  # without it, with it
        place = out[:, feature].unflatten(1, halves[1:])
        place[:, :, 0] = all_known.view(halves)[:, :, 0] - one_known.view(halves)[:, :, 1]
        place[:, :, 1] = -lost.view(halves)[:, :, 1]
    return out / failed.shape[1]


def _weighted(
    by_size: Float[Tensor, "sizes leaves sets"], weight: Float[Tensor, "sets more"]
) -> Float[Tensor, "leaves sets"]:
    """Return the sum over sizes, listed by the complement of each set: what the row fails."""
    total = torch.zeros_like(by_size[0])
    for counts, share in zip(by_size, weight.T, strict=False):
        total.addcmul_(counts, share)
    return total.flip(1)


def _histogram(failed: Int[Tensor, "leaves background"], n: int) -> Float[Tensor, "leaves sets"]:
    counts = torch.zeros(len(failed), 2**n, dtype=torch.float64)
    one = torch.ones((), dtype=torch.float64).expand(failed.shape)
    return counts.scatter_add_(1, failed.long(), one)


def _below(counts: Float[Tensor, "leaves sets"], n: int) -> Float[Tensor, "sizes leaves sets"]:
    """Return how many background rows fail a subset of each set, by the size of what they fail."""
    size = bits(torch.arange(2**n), n).sum(1)
    found = torch.stack([counts * (size == k) for k in range(n + 1)])
    for feature in range(n):
        halves = found.view(n + 1, len(counts), 2 ** (n - 1 - feature), 2, 2**feature)
        halves[:, :, :, 1] += halves[:, :, :, 0]
    return found
