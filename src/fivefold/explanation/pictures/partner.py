"""Which other feature a dependence seems to rest on: the one whose product with the first explains most more (least squares)."""

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.explanation.pictures.labels import column_of, is_ordered
from fivefold.explanation.pictures.view import View

FEWEST = 12  # rows below which nothing is guessed
MOST_DUMMIES = 8


def strongest_partner(view: View, raw: Float[Tensor, "rows features"], place: int) -> int | None:
    """Return the feature that, with its product with this one, explains most of what a curve leaves open.

    A guess, as every dependence plot makes one, and no test of an interaction. None with fewer than
    twelve rows, or if nothing is left open.
    """
    others = [i for i in range(raw.shape[1]) if i != place and is_ordered(view, i)]
    y = view.values[:, place]
    curve = _curve(view, raw[:, place], place)
    if len(raw) < max(FEWEST, 2 * curve.shape[1]) or not others:
        return None
    left = _left(curve, y)
    if float(left.square().sum()) <= 1e-12 * max(1e-24, float(y.square().sum())):
        return None
    more = [float(_left(_with(curve, raw[:, i]), y).square().sum()) for i in others]
    best = min(range(len(others)), key=more.__getitem__)
    return others[best]


def _curve(view: View, x: Tensor, place: int) -> Float[Tensor, "rows terms"]:
    """Return the terms of a curve in `x`: a cubic, or a step per category, and one for missing values."""
    column = column_of(view, place)
    missing = x.isnan().double()[:, None]
    known = x.nan_to_num(nan=0.0)
    if column is not None and column.is_category:
        steps = torch.nn.functional.one_hot(known.long().clamp(0, MOST_DUMMIES - 1), MOST_DUMMIES)
        used = steps.double()
        terms = used[:, used.sum(0) > 0]
    else:
        scaled = _scaled(x)
        terms = torch.stack([scaled**power for power in range(4)], 1)
    return torch.cat([terms, missing], 1) if bool(missing.any()) else terms


def _with(curve: Tensor, z: Tensor) -> Float[Tensor, "rows more"]:
    """Return the terms with those of a second feature, and their products with the first two."""
    scaled = _scaled(z)[:, None]
    return torch.cat([curve, scaled, curve[:, :2] * scaled], 1)


def _left(terms: Tensor, y: Tensor) -> Float[Tensor, " rows"]:
    """Return what the terms do not explain."""
    return y - terms @ (torch.linalg.pinv(terms) @ y)


def _scaled(values: Tensor) -> Float[Tensor, " rows"]:
    """Return values around 0 with standard deviation 1; missing ones are 0."""
    known = values[~values.isnan()]
    if len(known) < 2:
        return torch.zeros_like(values)
    return ((values - known.mean()) / known.std().clamp(min=1e-12)).nan_to_num(nan=0.0)
