"""How far answers fall when sets of features are hidden, and what attributions say about it."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fivefold.core.data import as_tensor
from fivefold.core.errors import NotMeasurable
from fivefold.core.model import Model
from fivefold.explanation.output import score_of
from fivefold.explanation.sample import Explained, Sample
from fivefold.perturb import Groups, Score, mean_score

FLAT = 1e-9  # falls below this are rounding


def falls(
    model: Model, found: Explained, rows: Sample, hidden: Bool[Tensor, "rows sets features"]
) -> Float[Tensor, "rows sets"]:
    """Return how far the score that `found` explains falls when each set is hidden.

    Raises:
        NotMeasurable: The answers do not depend on any feature.
    """
    x, background = as_tensor(rows.x), as_tensor(rows.background)
    fall = fall_of(score_of(model), x, background, hidden, found.attribution.groups, found.target)
    if float(fall.abs().max()) < FLAT:
        raise NotMeasurable("The answers stay the same whichever features are hidden.")
    return fall


def fall_of(
    score: Score,
    x: Float[Tensor, "rows ..."],
    background: Float[Tensor, "background ..."],
    hidden: Bool[Tensor, "rows sets features"],
    groups: Groups,
    target: Int[Tensor, " rows"],
) -> Float[Tensor, "rows sets"]:
    """Return the score of one output of each row, minus its mean with a set taken from the background."""
    without = mean_score(score, x, background, ~hidden, groups)
    full = score(x).double().gather(1, target[:, None])
    return full - without.gather(2, target[:, None, None].expand(-1, hidden.shape[1], 1))[:, :, 0]


def claimed(
    values: Float[Tensor, "rows features"], hidden: Bool[Tensor, "rows sets features"]
) -> Float[Tensor, "rows sets"]:
    """Return how far the attributions say that the answer falls: the sum over each set."""
    return torch.bmm(hidden.double(), values.double()[:, :, None])[:, :, 0]
