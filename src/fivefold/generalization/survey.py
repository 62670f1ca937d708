"""Which examples fall at which radius, to any of three attacks, and whether gradients can be trusted.

Athalye et al. (2018), "Obfuscated Gradients": a network that hides its gradients only looks robust. So what
gradient steps leave is also tried with one large step and with queries alone; a break by any counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from fivefold.core.data import Batch, as_tensor
from fivefold.core.loss import cross_entropy
from fivefold.core.schema import Space
from fivefold.perturb.ball import Norm, ball_around
from fivefold.perturb.gradient_attack import fgsm, slope
from fivefold.perturb.random_search import random_search
from fivefold.perturb.search import attack, verified

VANISHED = 1e-12
LEAST_SEARCHED = 20
SEARCHED_SHARE = 10  # one survivor in so many is tried with queries alone; a break sends all there


@dataclass(frozen=True, kw_only=True)
class Attacker:
    """How hard is tried.

    Attributes:
        norm: Which length a radius bounds.
        steps: Gradient steps of each run.
        restarts: Times the ladder of runs is climbed.
        queries: Answers that the search without gradients asks for per example.
    """

    norm: Norm
    steps: int
    restarts: int
    queries: int


class Fall(NamedTuple):
    """What fell at one radius or a smaller one, and what fell to which attack at this radius.

    `by_step` and `by_search` count what gradient runs had missed; `n_searched` how many were searched.
    """

    eps: float
    is_fooled: Bool[Tensor, " batch"]
    by_gradient: int
    by_step: int
    by_search: int
    n_searched: int
    evaluations: int


def falls(
    net: nn.Module, batch: Batch, space: Space, radii: list[float], attacker: Attacker, seed: int
) -> Iterator[Fall]:
    """Yield what falls at each radius, from the smallest on.

    The balls are nested, so what fell once stays fallen and is not attacked again.
    """
    with torch.no_grad():
        is_fooled = net(batch.x).argmax(1) != batch.y
    for eps in sorted(radii):
        rows = (~is_fooled).nonzero()[:, 0]
        fall = _fall(net, batch.take(rows), space, eps, attacker, seed)
        is_fooled = is_fooled.clone()
        is_fooled[rows] = fall.is_fooled
        yield fall._replace(is_fooled=is_fooled)


def vanished_share(net: nn.Module, batch: Batch, space: Space) -> float:
    """Return the share of examples whose cross-entropy gives an attacker no gradient to follow."""
    if not batch.size:
        return 0.0
    _, gradient = slope(net, batch, cross_entropy)
    ball = ball_around(as_tensor(batch.x), space, 1.0, "linf")
    felt = torch.where(ball.is_free, gradient * ball.unit, 0).flatten(1)
    largest = felt.abs().nan_to_num(0.0, posinf=0.0).amax(1)
    return float((largest < VANISHED).float().mean())


def _fall(
    net: nn.Module, batch: Batch, space: Space, eps: float, attacker: Attacker, seed: int
) -> Fall:
    ball = ball_around(as_tensor(batch.x), space, eps, attacker.norm)
    climbed = attack(
        net, batch.y, ball, steps=attacker.steps, restarts=attacker.restarts, seed=seed
    )
    is_fooled = climbed.is_fooled.clone()
    by_gradient = int(is_fooled.sum())
    rows = (~is_fooled).nonzero()[:, 0]
    is_fooled[rows] = _one_step(net, batch.take(rows), space, eps, attacker.norm)
    by_step = int(is_fooled.sum()) - by_gradient
    by_search, n_searched, spent = 0, 0, 3 * len(rows)
    rows = (~is_fooled).nonzero()[:, 0]
    first = max(LEAST_SEARCHED, len(rows) // SEARCHED_SHARE)
    for part in (rows[:first], rows[first:]):
        if n_searched and not by_search:
            break
        found = random_search(
            net, batch.y[part], ball.take(part), queries=attacker.queries, seed=seed
        )
        is_fooled[part] = found.is_fooled
        by_search += int(found.is_fooled.sum())
        n_searched += len(part)
        spent += found.evaluations
    return Fall(
        eps, is_fooled, by_gradient, by_step, by_search, n_searched, climbed.evaluations + spent
    )


def _one_step(
    net: nn.Module, batch: Batch, space: Space, eps: float, norm: Norm
) -> Float[Tensor, " batch"]:
    if not batch.size:
        return torch.zeros(0, dtype=torch.bool, device=batch.y.device)
    x = fgsm(net, batch, cross_entropy, space, eps=eps, norm=norm)
    with torch.no_grad():
        return verified(net, x, batch.y, net(x))[0]
