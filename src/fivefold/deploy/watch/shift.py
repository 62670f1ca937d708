"""Whether counts have shifted: Jensen-Shannon distance (Lin, 1991), Pearson's test, Holm's correction (1979)."""

from collections.abc import Sequence
from math import log, pi, sqrt
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from fivefold.deploy.watch.bins import pooled

LEAST_EXPECTED = 5.0  # per cell, below which Pearson's statistic does not follow its distribution
N_RESAMPLES = 200


class Shift(NamedTuple):
    """How far live counts are from those of the reference.

    `distance` lies in [0, 1], with its 95 % interval `low` to `high`; `chance` is what it would be on
    average if nothing had changed; `p` is the chance of so large a difference then.
    """

    distance: float
    low: float
    high: float
    chance: float
    p: float


def shift(reference: Int[Tensor, " cell"], live: Int[Tensor, " cell"], rng: Generator) -> Shift:
    """Compare two samples that were counted in the same cells."""
    distance = float(js_distance(reference, live))
    drawn = js_distance(resampled(reference, rng), resampled(live, rng))
    low, high = drawn.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return Shift(
        distance, min(low, distance), max(high, distance), chance(reference, live), pearson(reference, live)
    )  # fmt: skip


def js_distance(a: Tensor, b: Tensor) -> Float[Tensor, "*sample"]:
    """Return the square root of the Jensen-Shannon divergence in bits, over the last axis."""
    p, q = (t.double() / t.double().sum(-1, keepdim=True) for t in (a, b))
    middle = (p + q) / 2
    divergence = ((_entropy(middle)) - (_entropy(p) + _entropy(q)) / 2) / log(2)
    return divergence.clamp(0, 1).sqrt()


def chance(a: Int[Tensor, " cell"], b: Int[Tensor, " cell"]) -> float:
    """Return the mean distance of two samples of one distribution, to first order.

    The divergence is then a chi-squared variable with cells - 1 degrees of freedom, times
    (1/n + 1/m) / (8 ln 2); the mean of its root follows.
    """
    degrees = int((a + b > 0).sum()) - 1
    if degrees < 1:
        return 0.0
    scale = (1 / int(a.sum()) + 1 / int(b.sum())) / (8 * log(2))
    return min(1.0, sqrt(scale) * _mean_chi(degrees))


def pearson(a: Int[Tensor, " cell"], b: Int[Tensor, " cell"]) -> float:
    """Return the p-value of Pearson's test that two samples come from one distribution.

    Cells that are too rare for it are pooled.
    """
    from scipy.stats import chi2

    n, m = int(a.sum()), int(b.sum())
    expected = (a + b).double() * min(n, m) / (n + m)
    place = torch.tensor(pooled(expected.tolist(), LEAST_EXPECTED))
    k = int(place.max()) + 1
    table = torch.stack([torch.zeros(k).double().index_add_(0, place, t.double()) for t in (a, b)])
    table = table[:, table.sum(0) > 0]
    if table.shape[1] < 2:
        return 1.0
    wanted = table.sum(1, keepdim=True) * table.sum(0, keepdim=True) / (n + m)
    statistic = float(((table - wanted).square() / wanted).sum())
    return float(chi2.sf(statistic, table.shape[1] - 1))


def holm(p_values: Sequence[float], alpha: float = 0.05) -> list[bool]:
    """Return which hypotheses Holm's step-down procedure rejects.

    If none is false, it rejects any with probability `alpha` at most, however they hang together.
    """
    rejected = [False] * len(p_values)
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        if p_values[i] > alpha / (len(p_values) - rank):
            break
        rejected[i] = True
    return rejected


def resampled(counts: Int[Tensor, " cell"], rng: Generator) -> Int[Tensor, "sample cell"]:
    """Return bootstrap resamples of a counted sample: multinomial, as binomials one cell after another."""
    left = torch.full((N_RESAMPLES,), float(counts.sum()), dtype=torch.float64)
    rest, drawn = float(counts.sum()), list[Tensor]()
    for count in counts.tolist():
        share = min(1.0, count / rest) if rest > 0 else 0.0
        hits = torch.binomial(left, torch.full_like(left, share), generator=rng)
        drawn.append(hits)
        left, rest = left - hits, rest - count
    return torch.stack(drawn, 1).long()


def _entropy(p: Float[Tensor, "*sample cell"]) -> Float[Tensor, "*sample"]:
    return -torch.xlogy(p, p).sum(-1)


def _mean_chi(degrees: int) -> float:
    """Return the mean of a chi variable."""
    from math import lgamma

    if degrees > 300:
        return sqrt(degrees - 0.5)
    if degrees == 1:
        return sqrt(2 / pi)
    return sqrt(2) * torch.tensor(lgamma((degrees + 1) / 2) - lgamma(degrees / 2)).exp().item()
