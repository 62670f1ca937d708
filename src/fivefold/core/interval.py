"""95 % intervals."""

from collections.abc import Callable
from math import sqrt

import torch
from jaxtyping import Float
from torch import Generator, Tensor

Z95 = 1.959963984540054


def wilson(hits: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion (Wilson, 1927).

    Wilson rather than normal: it stays inside [0, 1] and is honest at small `n`.
    """
    p, d = hits / n, 1 + z * z / n
    centre = (p + z * z / (2 * n)) / d
    half = z / d * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))


def clopper_pearson(hits: int, n: int, alpha: float = 0.05) -> tuple[float, float]:
    """Return the exact interval of a proportion (Clopper and Pearson, 1934).

    It covers at least 1 - `alpha` for every true value, so it is the one for claims of safety.
    """
    from scipy.stats import beta

    low = 0.0 if hits == 0 else float(beta.ppf(alpha / 2, hits, n - hits + 1))
    high = 1.0 if hits == n else float(beta.ppf(1 - alpha / 2, hits + 1, n - hits))
    return low, high


def bootstrap(
    statistic: Callable[[Tensor], Float[Tensor, ""] | float],
    n: int,
    rng: Generator,
    *,
    n_resamples: int = 1000,
    alpha: float = 0.05,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval (Efron, 1979) of a statistic of rows.

    Args:
        statistic: Takes row indices `(n,)` and returns a number; NaN resamples are left out.
        n: Number of rows.
        rng: Source of the resamples.
        n_resamples: Number of resamples.
        alpha: One minus the confidence.
    """
    found = torch.tensor(
        [float(statistic(torch.randint(n, (n,), generator=rng))) for _ in range(n_resamples)],
        dtype=torch.float64,
    )
    found = found[~found.isnan()]
    if not len(found):
        return float("-inf"), float("inf")
    low, high = found.quantile(torch.tensor([alpha / 2, 1 - alpha / 2], dtype=torch.float64))
    return float(low), float(high)


def mean_interval(values: Float[Tensor, " n"]) -> tuple[float, float, float]:
    """Return the mean and its Student t interval; infinite bounds for a single value."""
    from scipy.stats import t

    n, mean = len(values), float(values.double().mean())
    if n < 2:
        return mean, float("-inf"), float("inf")
    half = float(t.ppf(0.975, n - 1)) * float(values.double().std()) / sqrt(n)
    return mean, mean - half, mean + half


def quantile_interval(values: Float[Tensor, " n"], q: float) -> tuple[float, float, float]:
    """Return the `q` quantile and its distribution-free interval from order statistics.

    With too few values for 95 % the interval is the whole range seen.
    """
    from scipy.stats import binom

    ordered, n = values.double().sort().values, len(values)
    low = max(int(binom.ppf(0.025, n, q)) - 1, 0)
    high = min(int(binom.ppf(0.975, n, q)), n - 1)
    return float(ordered.quantile(q)), float(ordered[low]), float(ordered[high])
