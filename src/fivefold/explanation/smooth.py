"""The numbers in which a network is smooth: behind the layer that prepares tables, or the pixels themselves."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from fivefold.core.errors import NotMeasurable, needs_net
from fivefold.core.model import HasNet
from fivefold.explanation.output import log_odds
from fivefold.explanation.question import Question
from fivefold.models.prepare import PrepareTable
from fivefold.models.torch import device_of


class Smooth(NamedTuple):
    """A question in numbers that can be moved a little, where a category and a gap are numbers too.

    `score` takes such numbers and keeps gradients; `member` tells the feature of each of them, and
    `unit` how far each moves when the user's value moves by one unit of the schema (0 if it cannot).
    """

    score: Callable[[Tensor], Float[Tensor, "batch outputs"]]
    x: Float[Tensor, "rows ..."]
    background: Float[Tensor, "background ..."]
    full: Float[Tensor, "rows outputs"]
    empty: Float[Tensor, "background outputs"]
    member: Int[Tensor, " numbers"]
    unit: Float[Tensor, " numbers"]
    n: int

    @property
    def start(self) -> Float[Tensor, "1 ..."]:
        """The mean background row."""
        return self.background.mean(0, keepdim=True)

    def by_feature(self, values: Float[Tensor, "batch numbers"]) -> Float[Tensor, "batch features"]:
        """Return the sums over the numbers of each feature, in double precision."""
        share = torch.zeros(len(values), self.n, dtype=torch.float64)
        return share.index_add_(1, self.member, values.double())


def smooth(model: HasNet, question: Question) -> Smooth:
    """Return the question behind the preparation of its model.

    Raises:
        NotMeasurable: Categories or missing values, and no layer that turns them into numbers.
    """
    prepare, rest, value, unit = _opened(model, question)
    device, groups = device_of(model.net), question.groups

    def score(z: Tensor) -> Tensor:
        answer = rest(z.to(device)).cpu()
        return log_odds(answer) if model.task.is_classification else answer.double()

    with torch.no_grad():
        x, background = (prepare(v.to(device)).cpu() for v in (question.x, question.background))
        full, empty = score(x), score(background)
    return Smooth(score, x, background, full, empty, groups.member[value], unit, groups.n)


def slopes(
    question: Smooth, points: Float[Tensor, "batch ..."], wanted_by: str
) -> Iterator[Float[Tensor, "batch numbers"]]:
    """Yield the gradient of each output at `points`, flattened.

    Raises:
        NotMeasurable: The network has no gradients.
    """
    points = points.detach().requires_grad_()
    answers = question.score(points)
    if not answers.requires_grad:
        raise needs_net(wanted_by, "network of integers")
    for one in answers.sum(0):
        yield torch.autograd.grad(one, points, retain_graph=True)[0].flatten(1)


def _opened(
    model: HasNet, question: Question
) -> tuple[nn.Module, nn.Module, Int[Tensor, " numbers"], Float[Tensor, " numbers"]]:
    """Return preparation, the rest, the user's value that each number is of, and the unit of each."""
    net, space = model.net, model.schema.space()
    if isinstance(net, nn.Sequential) and len(net) and isinstance(first := net[0], PrepareTable):
        spread = [torch.full((n,), i) for i, n in first.sizes]
        value = torch.cat([first.number.cpu(), *spread, first.optional.cpu()])
        unit = torch.zeros(len(value))
        number = first.number.cpu()
        unit[: len(number)] = (space.unit * space.can_move)[number] / first.scale.cpu()
        return first, net[1:], value, unit
    has_gaps = question.x.isnan().any() or question.background.isnan().any()
    if has_gaps or any(c.is_category for c in model.schema.columns):
        raise NotMeasurable(
            "No straight line leads through categories or missing values.",
            mend="Use LeverageSHAP, or a network whose first layer is PrepareTable.",
        )
    unit = (space.unit * space.can_move).flatten()
    return nn.Identity(), net, torch.arange(model.schema.n_features), unit
