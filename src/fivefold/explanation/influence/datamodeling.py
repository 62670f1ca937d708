"""The linear datamodeling score (Park et al., 2023; Ilyas et al., 2022): can influences foretell training anew?"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fivefold.explanation.rank import rank_correlation


class Scored(NamedTuple):
    """Mean correlation over rows, its 95 % interval, and the correlation of each row."""

    value: float
    low: float
    high: float
    rows: Float[Tensor, " rows"]


def foretold(
    values: Float[Tensor, "rows train"], parts: Bool[Tensor, "part train"]
) -> Float[Tensor, "rows part"]:
    """Return what influences say of each part: the sum over its examples."""
    return values @ parts.T.double()


def datamodeling_score(
    values: Float[Tensor, "rows train"],
    parts: Bool[Tensor, "part train"],
    scores: Float[Tensor, "rows part"],
) -> Scored:
    """Return how well the order of `scores`, of models trained on `parts`, is foretold.

    Rows share the trained models, so they are not independent: the variance is that over rows plus that
    over models, each taken by leaving one out, and the interval is Student's with the smaller of the two
    counts.

    Args:
        values: Influence of every example on every row.
        parts: Which examples each model was trained on; at least three.
        scores: The score of every row by every model.
    """
    from scipy.stats import t

    told = foretold(values, parts)
    each = rank_correlation(told, scores)
    n_rows, n_parts = scores.shape
    kept = ~torch.eye(n_parts, dtype=torch.bool)
    less = torch.stack([rank_correlation(told[:, k], scores[:, k]).mean() for k in kept])
    over_models = (n_parts - 1) / n_parts * (less - less.mean()).square().sum()
    over_rows = each.var() / n_rows if n_rows > 1 else torch.tensor(torch.inf)
    spread = (over_models + over_rows).sqrt()
    half = float(t.ppf(0.975, max(1, min(n_rows, n_parts) - 1)) * spread)
    value = float(each.mean())
    return Scored(value, max(-1.0, value - half), min(1.0, value + half), each)
