"""Sets of features to keep: all of them, or pairs by leverage score (Musco and Witter, 2025, arXiv 2410.01917)."""

from itertools import combinations
from math import comb
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

FEW = 4096  # so many sets may be listed to choose from


class Pairs(NamedTuple):
    """One set of each pair (a set and its complement), how likely each was, and its regression weight."""

    keep: Bool[Tensor, "pairs features"]
    chance: Float[Tensor, " pairs"]
    weight: Float[Tensor, " pairs"]


def every_set(n: int) -> Bool[Tensor, "sets features"]:
    """Return all `2**n` sets; set `i` holds feature `j` if bit `j` of `i` is 1."""
    return ((torch.arange(2**n)[:, None] >> torch.arange(n)) & 1).bool()


def leverage_pairs(n: int, n_pairs: int, rng: Generator) -> Pairs:
    """Draw pairs without replacement: each size of set equally often, until a size is exhausted.

    The leverage score of a set of size s is 1 / C(n, s). A pair is listed by its smaller set; of two
    halves, by the one that holds feature 0. The full and the empty set are not among them.
    """
    sizes, limits, shares = _kinds(n)
    counts = _shared_out(limits, shares, n_pairs)
    kinds = zip(sizes, counts, limits, strict=True)
    keep = [_distinct_sets(n, size, count, limit, rng) for size, count, limit in kinds]
    return _weighed(torch.cat([torch.zeros(0, n).bool(), *keep]), counts)


def nested_pairs(pairs: Pairs, rounds: int) -> list[Pairs]:
    """Return samples of which each begins with the one before and holds about twice as many pairs.

    The last holds all of `pairs`. Every size is listed in random order, so its first sets are a sample too.
    """
    n, n_pairs = pairs.keep.shape[1], len(pairs.keep)
    _, limits, shares = _kinds(n)
    size = torch.minimum(pairs.keep.sum(1), n - pairs.keep.sum(1))
    parts = [size.bincount(minlength=n // 2 + 1)[1:].tolist()]
    for left in range(1, rounds):
        fewer = _shared_out(limits, shares, n_pairs >> left)
        parts.append([min(a, b) for a, b in zip(fewer, parts[-1], strict=True)])
    place = torch.cat([torch.arange(c) for c in parts[0]]) if parts[0] else size
    enters = sum((place >= torch.tensor([0, *c])[size] for c in parts[1:]), torch.zeros_like(size))
    keep = pairs.keep[enters.argsort(stable=True)]
    found = {sum(counts): _weighed(keep[: sum(counts)], counts) for counts in parts}
    return [found[k] for k in sorted(found) if k or len(found) == 1]


def _kinds(n: int) -> tuple[range, list[int], list[float]]:
    """Return sizes of the smaller set of a pair, how many pairs there are of each, and how often to draw it.

    Two halves are one pair, so half as often.
    """
    sizes = range(1, n // 2 + 1)
    limits = [comb(n, s) if 2 * s < n else comb(n, s) // 2 for s in sizes]
    return sizes, limits, [1.0 if 2 * s < n else 0.5 for s in sizes]


def _weighed(keep: Bool[Tensor, "pairs features"], counts: list[int]) -> Pairs:
    """Return the pairs with chances and weights, given how many of each size there are."""
    n = keep.shape[1]
    sizes, limits, shares = _kinds(n)
    chance = [0.0, *(count / limit for count, limit in zip(counts, limits, strict=True))]
    # 1 / (s (n - s) C(n, s) chance) without the huge C
    kinds = zip(sizes, shares, counts, strict=True)
    weight = [0.0, *(share / (s * (n - s) * max(count, 1)) for s, share, count in kinds)]
    size = torch.minimum(keep.sum(1), n - keep.sum(1))
    return Pairs(keep, _numbers(chance)[size], _numbers(weight)[size])


def _shared_out(limits: list[int], rates: list[float], total: int) -> list[int]:
    """Return how many to take of each kind: in proportion to `rates`, never more than there are."""
    left, open_kinds = min(total, sum(limits)), list(range(len(limits)))
    counts = [0] * len(limits)
    while open_kinds:
        each = left / sum(rates[k] for k in open_kinds)
        full = [k for k in open_kinds if limits[k] <= each * rates[k]]
        if not full:
            return _rounded(counts, open_kinds, [each * rates[k] for k in open_kinds], left)
        for k in full:
            counts[k], left = limits[k], left - limits[k]
        open_kinds = [k for k in open_kinds if k not in full]
    return counts


def _rounded(counts: list[int], kinds: list[int], wanted: list[float], total: int) -> list[int]:
    """Round so that the sum is `total`; what is over goes to the largest remainders."""
    for k, w in zip(kinds, wanted, strict=True):
        counts[k] = int(w)
    by_remainder = sorted(range(len(kinds)), key=lambda i: int(wanted[i]) - wanted[i])
    for i in by_remainder[: total - sum(int(w) for w in wanted)]:
        counts[kinds[i]] += 1
    return counts


def _distinct_sets(n: int, size: int, count: int, limit: int, rng: Generator) -> Tensor:
    """Draw `count` different sets of `size`, each as likely as any other of the `limit` there are."""
    fixed = 2 * size == n  # feature 0 is in: the complement of such a set is not listed again
    free, members = n - fixed, size - fixed
    if count == 0:
        found = torch.zeros(0, free).bool()
    elif limit <= max(FEW, 2 * count):
        found = _listed(free, members)[torch.randperm(limit, generator=rng)[:count]]
    else:
        found = _drawn(free, members, count, rng)
    return torch.cat([torch.ones(count, 1).bool(), found], 1) if fixed else found


def _listed(n: int, size: int) -> Bool[Tensor, "sets features"]:
    sets = torch.tensor(list(combinations(range(n), size)), dtype=torch.int64)
    return torch.zeros(len(sets), n).bool().scatter(1, sets.reshape(len(sets), size), value=True)


def _drawn(n: int, size: int, count: int, rng: Generator) -> Bool[Tensor, "sets features"]:
    found = torch.zeros(0, n).bool()
    while len(found) < count:
        order = torch.rand(count + 8, n, generator=rng).topk(size, dim=1).indices
        new = torch.zeros(len(order), n).bool().scatter(1, order, value=True)
        found = torch.unique(torch.cat([found, new]), dim=0)
    return found[torch.randperm(len(found), generator=rng)[:count]]


def _numbers(values: list[float]) -> Float[Tensor, " n"]:
    return torch.tensor(values, dtype=torch.float64)
