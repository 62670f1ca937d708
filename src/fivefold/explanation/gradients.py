"""Integrated gradients (Sundararajan, Taly and Yan, 2017) by Gauss-Legendre, refined until the values add up."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from numpy.polynomial.legendre import leggauss
from torch import Generator, Tensor

from fivefold.core.data import Inputs
from fivefold.core.limits import Count, Positive
from fivefold.core.model import Model, with_net
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.output import output_names, unit
from fivefold.explanation.question import asked
from fivefold.explanation.smooth import Smooth, slopes, smooth
from fivefold.perturb import Features, in_parts

CELLS = 2**20  # values of inputs on the path that exist at one time


@dataclass(frozen=True, kw_only=True)
class IntegratedGradients:
    """Gradients along the straight line from each background row to the example, averaged over the rows.

    Tables are walked behind the layer that prepares them, where a category and a missing value are
    numbers too, and what belongs to one column is added up again. Where memory runs out, fewer points
    are taken at one time.

    Attributes:
        nodes: Points on the line at first; doubled while values do not add up.
        most_nodes: Where doubling ends.
        tolerance: Largest |sum of values - (score - base)|, as a share of max(1, |score - base|).
        features: What counts as one feature.
    """

    nodes: Count = 8
    most_nodes: Count = 256
    tolerance: Positive = 0.01
    features: Features = Features()

    def __call__(
        self, model: Model, x: Inputs, background: Inputs, *, rng: Generator
    ) -> Attribution:
        """Return the values for each output; `rng` is not used.

        Raises:
            NotMeasurable: The model has no network, or its line crosses categories or missing values.
            LimitReached: Not even one line fits into memory.
        """
        model = with_net(model, self)
        question = asked(model, x, background, self.features)
        way = smooth(model, question)
        values, n_evaluations = self._refined(way)
        values = values.unflatten(0, (len(way.x), len(way.background))).mean(1)
        score, base = way.full, way.empty.mean(0).expand_as(way.full)
        return Attribution(
            values=values,
            base=base,
            score=score,
            error=None,
            is_converged=adds_up(values, base, score, self.tolerance),
            groups=question.groups,
            outputs=output_names(model.task),
            method="IntegratedGradients",
            unit=unit(model.task),
            n_evaluations=n_evaluations,
        )

    def _refined(self, way: Smooth) -> tuple[Float[Tensor, "lines features outputs"], int]:
        """Walk every line, then again with twice the nodes those that do not add up."""
        rise = (way.full[:, None] - way.empty).flatten(0, 1)
        values = torch.zeros(len(rise), way.n, rise.shape[1], dtype=torch.float64)
        left, nodes, count = torch.arange(len(rise)), self.nodes, len(way.x) + len(way.background)
        while len(left) and nodes <= max(self.nodes, self.most_nodes):
            values[left] = _walk(way, left, nodes)
            gap = (rise - values.sum(1))[left].abs()
            is_off = (gap > self.tolerance * rise[left].abs().clamp(min=1)).any(-1)
            count, nodes, left = count + len(left) * nodes, nodes * 2, left[is_off]
        return values, count


def adds_up(
    values: Float[Tensor, "rows features outputs"],
    base: Float[Tensor, "rows outputs"],
    score: Float[Tensor, "rows outputs"],
    tolerance: float,
) -> Tensor:
    """Return whether the values of each row sum to (score - base), within `tolerance` of max(1, its size)."""
    rise = score - base
    return ((rise - values.sum(1)).abs() <= tolerance * rise.abs().clamp(min=1)).all(-1)


def _walk(
    way: Smooth, lines: Int[Tensor, " lines"], nodes: int
) -> Float[Tensor, "lines features outputs"]:
    """Walk lines; line `i` ends at example `i // len(background)` and starts at row `i % len(background)`."""
    place, weight = (torch.from_numpy(v) for v in leggauss(nodes))
    place, weight = (place + 1) / 2, weight / 2  # from [-1, 1] to [0, 1]
    size = CELLS // (nodes * way.x[0].numel())
    parts = in_parts(lambda part: _walk_some(way, part, place, weight), lines, size)
    return torch.cat(list(parts))


def _walk_some(way: Smooth, lines: Tensor, place: Tensor, weight: Tensor) -> Tensor:
    start = way.background[lines % len(way.background)]
    step = way.x[lines // len(way.background)] - start
    along = place.float().reshape(-1, *[1] * (start.ndim - 1))
    points = (start[:, None] + along * step[:, None]).flatten(0, 1)
    found: list[Tensor] = []
    for slope in slopes(way, points, "IntegratedGradients"):
        mean = torch.einsum("q,lqv->lv", weight, slope.reshape(len(lines), len(place), -1).double())
        found.append(way.by_feature(mean * step.flatten(1)))
    return torch.stack(found, -1)
