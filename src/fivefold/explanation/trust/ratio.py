"""The ratio of two sums over rows, with its interval."""

from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.interval import bootstrap


def ratio_interval(
    part: Float[Tensor, " rows"],
    whole: Float[Tensor, " rows"],
    rng: Generator,
    limits: tuple[float, float],
) -> tuple[float, float, float]:
    """Return sum / sum with its bootstrap interval over rows.

    A ratio of sums rather than a mean of ratios: rows where little can be gained count little. Of a
    single row the interval is everything inside `limits`.
    """
    value = float(part.sum() / whole.sum())
    if len(part) < 2:
        return value, min(value, limits[0]), max(value, limits[1])
    low, high = bootstrap(lambda rows: part[rows].sum() / whole[rows].sum(), len(part), rng)
    return value, min(low, value), max(high, value)
