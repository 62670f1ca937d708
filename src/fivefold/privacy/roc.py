"""How well a score tells members from others, with honest bounds (DeLong et al., 1988)."""

from math import ceil, floor, sqrt
from typing import NamedTuple, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.interval import Z95, clopper_pearson

Both: TypeAlias = tuple[Tensor, Tensor]  # scores of members and of others
LEAST_FALSE = 10  # others accused wrongly, below which a rate is hardly known


class Bounded(NamedTuple):
    """A number inside its 95 % interval."""

    value: float
    low: float
    high: float


def auc(members: Float[Tensor, " m"], others: Float[Tensor, " n"]) -> Bounded:
    """Return the chance that a member scores above another, ties counting half, by DeLong's interval.

    When the two do not overlap at all DeLong's interval has no width; then the exact binomial interval
    of the smaller group stands in.
    """
    m, n = len(members), len(others)
    above = _share_below(members, others)  # (m,) for each member, the share of others below it
    below = 1 - _share_below(others, members)  # (n,) for each other, the share of members above it
    value = float(above.mean())
    variance = float(above.var() / m + below.var() / n)
    if variance == 0:
        low, high = clopper_pearson(round(value * min(m, n)), min(m, n))
        return Bounded(value, min(low, value), max(high, value))
    half = Z95 * sqrt(variance)
    return Bounded(value, max(0.0, value - half), min(1.0, value + half))


def auc_gain(after: Both, before: Both) -> Bounded:
    """Return by how much one score of some rows has a larger area than another of the same rows.

    DeLong's interval for paired areas, with Student's t for the smaller group. Where no row tells the two
    apart it has no width; then the exact binomial bound of nothing seen in the smaller group stands in.
    """
    from scipy.stats import t

    m, n = len(after[0]), len(after[1])
    above = _share_below(*after) - _share_below(*before)
    below = _share_below(before[1], before[0]) - _share_below(after[1], after[0])
    value = float(above.mean())
    variance = float(above.var() / m + below.var() / n)
    half = float(t.ppf(0.975, min(m, n) - 1)) * sqrt(variance)
    if variance == 0:
        half = clopper_pearson(0, min(m, n))[1]
    return Bounded(value, max(-1.0, value - half), min(1.0, value + half))


def tpr_at(members: Float[Tensor, " m"], others: Float[Tensor, " n"], fpr: float) -> Bounded | None:
    """Return the share of members found when at most the share `fpr` of others is accused wrongly.

    None if fewer than ten others are to be accused. The threshold is estimated from the others, so its
    own uncertainty is in the interval: two of their order statistics hold the true threshold at 97.5 %,
    and the exact intervals of the members beyond each hold at 97.5 %; together 95 %.
    """
    from scipy.stats import binom

    n, m = len(others), len(members)
    if n < others_for(fpr):
        return None
    ordered = others.sort(descending=True).values
    allowed = floor(fpr * n + 1e-9)
    value = float((members > ordered[allowed]).double().mean()) if allowed < n else 1.0
    # the j-th largest has a true rate above fpr if at most j - 1 of n lie beyond the true threshold
    loose = int(binom.ppf(0.9875, n, fpr))
    strict = int(binom.ppf(0.0125, n, fpr)) - 1
    beyond_loose = int((members >= ordered[loose]).sum()) if loose < n else m
    beyond_strict = int((members > ordered[strict]).sum()) if strict >= 0 else 0
    low = clopper_pearson(beyond_strict, m, alpha=0.025)[0]
    high = clopper_pearson(beyond_loose, m, alpha=0.025)[1]
    return Bounded(value, min(low, value), max(high, value))


def others_for(fpr: float) -> int:
    """Return how many others a false positive rate needs."""
    return ceil(LEAST_FALSE / fpr - 1e-9)


def least_rate(n: int) -> float:
    """Return the smallest false positive rate that `n` others support."""
    return min(1.0, LEAST_FALSE / n)


def curve(
    members: Float[Tensor, " m"], others: Float[Tensor, " n"], n_points: int = 60
) -> list[tuple[float, float]]:
    """Return (false positive rate, true positive rate) from 1 / n to 1, evenly in the logarithm."""
    ordered = others.sort(descending=True).values
    ranks = torch.logspace(0, torch.log10(torch.tensor(float(len(others)))), n_points)
    found: list[tuple[float, float]] = []
    for k in ranks.round().long().unique().tolist():
        share = float((members > ordered[k]).double().mean()) if k < len(others) else 1.0
        found.append((k / len(others), share))
    return found


def _share_below(a: Float[Tensor, " m"], b: Float[Tensor, " n"]) -> Float[Tensor, " m"]:
    """Return for each value of `a` the share of `b` below it, ties counting half."""
    ordered = b.sort().values
    below = torch.searchsorted(ordered, a, right=False)
    up_to = torch.searchsorted(ordered, a, right=True)
    return (below + up_to).double() / (2 * len(b))
