"""Attack until fooled: a ladder of PGD runs that drops each example at its first verified success.

The ladder follows Croce and Hein (2020), "Reliable evaluation of adversarial robustness": cross-entropy
first, then the margin against each of the likeliest wrong classes. Only what still resists is worked on.
"""

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from fivefold.core.loss import Forward
from fivefold.perturb.ball import Ball
from fivefold.perturb.counter import uniform
from fivefold.perturb.gradient_attack import step_sizes

MOST_TARGETS = 9


class Attacked(NamedTuple):
    """What an attack reached.

    `x` fools the classifier where `is_fooled`, and is the untouched input elsewhere and where the answer
    was wrong before. An evaluation is one example through one forward or one backward pass.
    """

    x: Float[Tensor, "batch ..."]
    is_fooled: Bool[Tensor, " batch"]
    evaluations: int


class Goal(NamedTuple):
    """What a run climbs: cross-entropy of `y`, or the margin of `target` over `y` if there is one."""

    y: Int64[Tensor, " batch"]
    target: Int64[Tensor, " batch"] | None

    def take(self, rows: Tensor) -> "Goal":
        """Return the goals of these examples."""
        return Goal(self.y[rows], None if self.target is None else self.target[rows])

    def value(self, logits: Float[Tensor, "batch classes"]) -> Float[Tensor, " batch"]:
        """Return how near each example is to its goal."""
        if self.target is None:
            return F.cross_entropy(logits, self.y, reduction="none")
        return (logits.gather(1, self.target[:, None]) - logits.gather(1, self.y[:, None]))[:, 0]


def attack(
    forward: Forward,
    y: Int64[Tensor, " batch"],
    ball: Ball,
    *,
    steps: int = 20,
    restarts: int = 1,
    seed: int = 0,
    size: int = 256,
) -> Attacked:
    """Return inputs in `ball` that the classifier gets wrong, where some are found.

    The result does not depend on `size`, nor does an example's depend on its company.

    Args:
        forward: The network.
        y: True classes.
        ball: Where the inputs may lie.
        steps: Gradient steps of each run.
        restarts: Times the whole ladder is climbed, each from new random starts.
        seed: Decides the random starts.
        size: Most examples in one pass.
    """
    x, places = ball.center.clone(), torch.arange(len(y), device=y.device)
    is_fooled, wrong, cost = _ranked(forward, x, y, size)
    for run, target in enumerate(_runs(wrong, restarts)):
        for rows in places[~is_fooled].split(size):
            here = ball.take(rows)
            start = here.start(uniform(seed, rows, run, prod(x.shape[1:]) + 1))
            goal = Goal(y[rows], None if target is None else target[rows])
            hits, moved, spent = _climb(forward, goal, here, start, steps)
            x[rows[hits]], is_fooled[rows[hits]] = moved, True
            cost += spent
    return Attacked(x, is_fooled, cost)


@torch.no_grad()
def verified(
    forward: Forward,
    x: Float[Tensor, "batch ..."],
    y: Int64[Tensor, " batch"],
    logits: Float[Tensor, "batch classes"],
) -> tuple[Bool[Tensor, " batch"], int]:
    """Return where `logits` are wrong and stay so when only those examples are asked again.

    Near a tie the rounding of a batch may decide; what counts is an error that repeats. Also returns
    the evaluations it took.
    """
    is_wrong = logits.argmax(1) != y
    if not is_wrong.any():
        return is_wrong, 0
    again = forward(x[is_wrong]).argmax(1) != y[is_wrong]
    n = int(is_wrong.sum())
    is_wrong[is_wrong.clone()] = again
    return is_wrong, n


def _climb(
    forward: Forward, goal: Goal, ball: Ball, x: Tensor, steps: int
) -> tuple[Int64[Tensor, " fooled"], Float[Tensor, "fooled ..."], int]:
    """Return which examples one run fooled, with what, and the evaluations it took."""
    rows = torch.arange(len(x), device=x.device)
    hits, found, cost = [rows[:0]], [x[:0]], 0
    for size in step_sizes(ball.eps, steps):
        point = x.detach().requires_grad_()
        with torch.enable_grad():
            logits = forward(point)
        is_fooled, again = verified(forward, x, goal.y, logits.detach())
        hits.append(rows[is_fooled])
        found.append(x[is_fooled])
        cost += len(x) + again
        left = ~is_fooled
        if not left.any():
            return torch.cat(hits), torch.cat(found), cost
        gradient = _gradient(goal.take(left).value(logits[left]), point)[left]
        cost += len(x)
        rows, goal, ball = rows[left], goal.take(left), ball.take(left)
        x = ball.step(x[left], gradient, size)
    with torch.no_grad():
        is_fooled, again = verified(forward, x, goal.y, forward(x))
    hits.append(rows[is_fooled])
    found.append(x[is_fooled])
    return torch.cat(hits), torch.cat(found), cost + len(x) + again


def _gradient(value: Float[Tensor, " left"], point: Tensor) -> Tensor:
    if not value.requires_grad:
        return torch.zeros_like(point)
    return torch.autograd.grad(value.sum(), point, materialize_grads=True)[0]


def _runs(wrong: Int64[Tensor, "batch targets"], restarts: int) -> Iterator[Tensor | None]:
    """Yield the target class of each run; None for the run that has no target."""
    for _ in range(restarts):
        yield None
        yield from wrong[:, :MOST_TARGETS].T


@torch.no_grad()
def _ranked(
    forward: Forward, x: Tensor, y: Tensor, size: int
) -> tuple[Bool[Tensor, " batch"], Int64[Tensor, "batch targets"], int]:
    """Return which inputs are wrong already, the wrong classes from the likeliest on, and the cost."""
    logits = torch.cat([forward(part) for part in x.split(size)])
    order = logits.scatter(1, y[:, None], -torch.inf).argsort(1, descending=True)[:, :-1]
    return logits.argmax(1) != y, order, len(x)
