"""Integrated gradients (Sundararajan, Taly and Yan, 2017) by Gauss-Legendre, refined until the values add up."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from numpy.polynomial.legendre import leggauss
from torch import Generator, Tensor, nn

from fivefold.core.data import Inputs
from fivefold.core.errors import NotMeasurable, needs_net
from fivefold.core.limits import Count, Positive
from fivefold.core.model import HasNet, Model, with_net
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.output import log_odds, output_names, unit
from fivefold.explanation.question import Question, asked
from fivefold.models.prepare import PrepareTable
from fivefold.models.torch import device_of
from fivefold.perturb import Features, Groups

CELLS = 2**20  # values of inputs on the path that exist at one time


@dataclass(frozen=True, kw_only=True)
class IntegratedGradients:
    """Gradients along the straight line from each background row to the example, averaged over the rows.

    Tables are walked behind the layer that prepares them, where a category and a missing value are
    numbers too, and what belongs to one column is added up again.

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
        """
        model = with_net(model, self)
        question = asked(model, x, background, self.features)
        way = _way(model, question)
        values, n_evaluations = self._refined(way)
        values = values.unflatten(0, (len(way.x), len(way.background))).mean(1)
        score, base = way.full, way.empty.mean(0).expand_as(way.full)
        gap = (score - base - values.sum(1)).abs()
        return Attribution(
            values=values,
            base=base,
            score=score,
            error=None,
            is_converged=(gap <= self.tolerance * (score - base).abs().clamp(min=1)).all(-1),
            groups=question.groups,
            outputs=output_names(model.task),
            method="IntegratedGradients",
            unit=unit(model.task),
            n_evaluations=n_evaluations,
        )

    def _refined(self, way: "_Way") -> tuple[Float[Tensor, "lines features outputs"], int]:
        """Walk every line, then again with twice the nodes those that do not add up."""
        rise = (way.full[:, None] - way.empty).flatten(0, 1)
        values = torch.zeros(len(rise), way.groups.n, rise.shape[1], dtype=torch.float64)
        left, nodes, count = torch.arange(len(rise)), self.nodes, len(way.x) + len(way.background)
        while len(left) and nodes <= max(self.nodes, self.most_nodes):
            values[left] = _walk(way, left, nodes)
            gap = (rise - values.sum(1))[left].abs()
            is_off = (gap > self.tolerance * rise[left].abs().clamp(min=1)).any(-1)
            count, nodes, left = count + len(left) * nodes, nodes * 2, left[is_off]
        return values, count


class _Way(NamedTuple):
    """Straight lines between background rows and examples, in numbers that the network is smooth in.

    Line `i` ends at example `i // len(background)` and starts at background row `i % len(background)`.
    """

    score: Callable[[Tensor], Float[Tensor, "batch outputs"]]
    x: Float[Tensor, "rows ..."]
    background: Float[Tensor, "background ..."]
    full: Float[Tensor, "rows outputs"]
    empty: Float[Tensor, "background outputs"]
    groups: Groups


def _way(model: HasNet, question: Question) -> _Way:
    prepare, rest, member = _opened(model, question)
    device, groups = device_of(model.net), question.groups

    def score(z: Tensor) -> Tensor:
        answer = rest(z.to(device)).cpu()
        return log_odds(answer) if model.task.is_classification else answer.double()

    with torch.no_grad():
        ends = [prepare(v.to(device)).cpu() for v in (question.x, question.background)]
        full, empty = score(ends[0]), score(ends[1])
    return _Way(score, ends[0], ends[1], full, empty, groups._replace(member=groups.member[member]))


def _opened(model: HasNet, question: Question) -> tuple[nn.Module, nn.Module, Tensor]:
    """Return preparation, the rest of the network, and the user's value that each prepared one is of."""
    net = model.net
    if isinstance(net, nn.Sequential) and len(net) and isinstance(first := net[0], PrepareTable):
        spread = [torch.full((n,), i) for i, n in first.sizes]
        return first, net[1:], torch.cat([first.number.cpu(), *spread, first.optional.cpu()])
    has_gaps = question.x.isnan().any() or question.background.isnan().any()
    if has_gaps or any(c.is_category for c in model.schema.columns):
        raise NotMeasurable(
            "No straight line leads through categories or missing values.",
            mend="Use LeverageSHAP, or a network whose first layer is PrepareTable.",
        )
    return nn.Identity(), net, torch.arange(model.schema.n_features)


def _walk(
    way: _Way, lines: Int[Tensor, " lines"], nodes: int
) -> Float[Tensor, "lines features outputs"]:
    place, weight = (torch.from_numpy(v) for v in leggauss(nodes))
    place, weight = (place + 1) / 2, weight / 2  # from [-1, 1] to [0, 1]
    size = max(1, CELLS // (nodes * way.x[0].numel()))
    return torch.cat([_walk_some(way, part, place, weight) for part in lines.split(size)])


def _walk_some(way: _Way, lines: Tensor, place: Tensor, weight: Tensor) -> Tensor:
    start = way.background[lines % len(way.background)]
    step = way.x[lines // len(way.background)] - start
    along = place.float().reshape(-1, *[1] * (start.ndim - 1))
    points = (start[:, None] + along * step[:, None]).flatten(0, 1).requires_grad_()
    answers = way.score(points)
    if not answers.requires_grad:
        raise needs_net("IntegratedGradients", "network of integers")
    found: list[Tensor] = []
    for one in answers.sum(0):
        slope = torch.autograd.grad(one, points, retain_graph=True)[0]
        mean = torch.einsum("q,lqv->lv", weight, slope.reshape(len(lines), len(place), -1).double())
        share = torch.zeros(len(lines), way.groups.n, dtype=torch.float64)
        found.append(share.index_add_(1, way.groups.member, mean * step.flatten(1)))
    return torch.stack(found, -1)
