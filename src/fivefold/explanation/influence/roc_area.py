"""The area under the ROC curve with its interval (DeLong, DeLong and Clarke-Pearson, 1988)."""

from math import exp, log, sqrt

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fivefold.core.interval import Z95, clopper_pearson


def roc_area(values: Float[Tensor, " n"], is_hit: Bool[Tensor, " n"]) -> tuple[float, float, float]:
    """Return the chance that a hit has a higher value than another, ties counting half, and its interval.

    The interval is made on the logit scale, so it stays inside [0, 1]. Of a perfect or a hopeless order
    the variance tells nothing: there the far bound is that of as many successes in a row as there are of
    the rarer kind.
    """
    hit, other = values[is_hit].double(), values[~is_hit].double()
    by_hit, by_other = _above(hit, other), 1 - _above(other, hit)
    area, n, m = float(by_hit.mean()), len(hit), len(other)
    if min(n, m) < 2:
        return area, 0.0, 1.0
    variance = float(by_hit.var() / n + by_other.var() / m)
    if not 0 < area < 1 or variance <= 0:
        far = clopper_pearson(min(n, m), min(n, m))[0]
        return area, min(area, far), max(area, 1 - far)
    middle, half = log(area / (1 - area)), Z95 * sqrt(variance) / (area * (1 - area))
    return area, _share(middle - half), _share(middle + half)


def _above(a: Tensor, b: Tensor) -> Tensor:
    """Return, for each of `a`, the share of `b` below it; ties count half."""
    ordered = b.sort().values
    below = torch.searchsorted(ordered, a.contiguous())
    upto = torch.searchsorted(ordered, a.contiguous(), right=True)
    return (below + upto).double() / (2 * len(b))


def _share(logit: float) -> float:
    return 1 / (1 + exp(-logit)) if logit > -700 else 0.0
