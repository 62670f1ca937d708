"""Deletion and insertion curves (Petsiuk, Das and Saenko, 2018, RISE), next to those of random orders."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from fivefold.core.data import as_tensor
from fivefold.core.model import Model
from fivefold.perturb import Groups, mean_score

if TYPE_CHECKING:
    from fivefold.explanation.sample import Explained, Sample


class Curves(NamedTuple):
    """The answer of each row as features are shown or hidden, most important first.

    `at` is the share of features shown (or hidden). `by_chance` is as features are shown in random
    orders; read backwards, it is as they are hidden.
    """

    at: Float[Tensor, " points"]
    shown: Float[Tensor, "rows points"]
    hidden: Float[Tensor, "rows points"]
    by_chance: Float[Tensor, "rows orders points"]

    def areas(self) -> Float[Tensor, "curve rows"]:
        """Return the area under each curve: shown, hidden, and by chance.

        In units in which the first two differ by all of the spread if one feature alone decides.
        """
        kept = (self.shown, self.hidden, self.by_chance.mean(1))
        return torch.stack([torch.trapezoid(c, self.at) for c in kept]) / (1 - self.at[1])

    def levels(self) -> Float[Tensor, "curve rows"]:
        """Return how high each curve lies on average, above the row's lowest answer: shown, hidden, by chance."""
        lowest = self._every().amin(1)
        kept = (self.shown, self.hidden, self.by_chance.mean(1))
        return torch.stack([torch.trapezoid(c, self.at) - lowest for c in kept])

    def spread(self) -> Float[Tensor, " rows"]:
        """Return how far each row's answer moves at most."""
        every = self._every()
        return every.amax(1) - every.amin(1)

    def _every(self) -> Float[Tensor, "rows answers"]:
        return torch.cat([self.shown, self.hidden, self.by_chance.flatten(1)], 1)


class Ranking(NamedTuple):
    """What the curves are drawn of: examples, what hides their features, and the attributions of one output each."""

    x: Tensor
    background: Tensor
    groups: Groups
    values: Float[Tensor, "rows features"]
    target: Int[Tensor, " rows"]


def curves(
    model: Model, found: "Explained", rows: "Sample", n_orders: int, n_points: int, rng: Generator
) -> Curves:
    """Return the curves of the answer that `found` explains."""
    groups = found.attribution.groups
    x, background = as_tensor(rows.x), as_tensor(rows.background)
    ranking = Ranking(x, background, groups, found.values, found.target)
    return curves_of(model, ranking, n_orders, n_points, rng)


def curves_of(
    model: Model, ranking: Ranking, n_orders: int, n_points: int, rng: Generator
) -> Curves:
    """Return the curves, next to those of `n_orders` random orders of each row.

    For a class the answer is its probability. For a number it is how near the prediction stays to the
    one with all features, as minus the distance.
    """
    n = ranking.groups.n
    places = torch.cat([_places(model, ranking), _random_places(ranking, n_orders, rng)], 1)
    points = torch.linspace(0, n, min(n, n_points) + 1).round()
    first = places[:, :, None] < points[:, None]  # (rows, orders, points, features)
    keep = torch.cat([~first[:, :1], first], 1)
    answer = _answers(model, ranking, keep.flatten(1, 2)).unflatten(1, keep.shape[1:3])
    return Curves(points.double() / n, answer[:, 1], answer[:, 0], answer[:, 2:])


def _places(model: Model, ranking: Ranking) -> Int[Tensor, "rows 1 features"]:
    """Return the place of each feature in its row, most important first.

    What speaks against a class comes last; of a number, either direction counts.
    """
    values = ranking.values if model.task.is_classification else ranking.values.abs()
    return values.argsort(dim=1, descending=True, stable=True).argsort(1)[:, None]


def _random_places(ranking: Ranking, n_orders: int, rng: Generator) -> Tensor:
    n_rows, n = ranking.values.shape
    return torch.rand(n_rows, n_orders, n, generator=rng).argsort(2)


def _answers(model: Model, ranking: Ranking, keep: Tensor) -> Float[Tensor, "rows masks"]:
    is_class, target = model.task.is_classification, ranking.target[:, None]

    def score(inputs: Tensor) -> Tensor:
        return model.predict(inputs).softmax(-1) if is_class else model.predict(inputs)

    answer = mean_score(score, ranking.x, ranking.background, keep, ranking.groups)
    looked_at = answer.gather(2, target[:, None].expand(-1, keep.shape[1], 1))[:, :, 0]
    return looked_at if is_class else -(looked_at - model.predict(ranking.x)[:, :1]).abs()
