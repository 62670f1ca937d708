"""An attack without gradients, after Andriushchenko et al. (2020), "Square Attack".

It asks only for answers, so that a network which hides its gradients hides nothing from it.
"""

from math import prod

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from fivefold.core.loss import Forward
from fivefold.perturb.ball import Ball
from fivefold.perturb.counter import uniform
from fivefold.perturb.search import Attacked, verified

FIRST_SHARE = 0.8
HALVINGS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)  # of the queries, as in the paper


@torch.no_grad()
def random_search(
    forward: Forward,
    y: Int64[Tensor, " batch"],
    ball: Ball,
    *,
    queries: int = 100,
    seed: int = 0,
    size: int = 256,
) -> Attacked:
    """Return inputs in `ball` that the classifier gets wrong, where chance finds some.

    Each query changes a random part of the best input so far, a square of an image or some columns of a
    table, and keeps the change if it brings the answer nearer to an error.

    Args:
        forward: The classifier; gradients are not asked for.
        y: True classes.
        ball: Where the inputs may lie.
        queries: Answers asked for per example.
        seed: Decides the changes.
        size: Most examples in one pass.
    """
    x, is_fooled, cost = ball.center.clone(), torch.zeros_like(y, dtype=torch.bool), 0
    for rows in torch.arange(len(y), device=y.device).split(size):
        here, truth, best_x = ball.take(rows), y[rows], ball.center[rows]
        best = torch.full((len(rows),), -torch.inf, device=y.device)
        for turn in range(queries):
            tried = _changed(best_x, here, rows, seed, turn, queries)
            logits = forward(tried)
            hit, again = verified(forward, tried, truth, logits)
            cost += len(rows) + again
            x[rows[hit]], is_fooled[rows[hit]] = tried[hit], True
            value = margin(logits, truth)
            keep = (value > best)[(...,) + (None,) * (x.dim() - 1)]
            left = ~hit
            best_x, best = torch.where(keep, tried, best_x)[left], torch.maximum(value, best)[left]
            rows, here, truth = rows[left], here.take(left), truth[left]
            if not len(rows):
                break
    return Attacked(x, is_fooled, cost)


def margin(
    logits: Float[Tensor, "batch classes"], y: Int64[Tensor, " batch"]
) -> Float[Tensor, " batch"]:
    """Return by how much the best wrong class beats the true one; above 0 is an error."""
    wrong = logits.scatter(1, y[:, None], -torch.inf)
    return wrong.amax(1) - logits.gather(1, y[:, None])[:, 0]


def _changed(
    x: Tensor, ball: Ball, rows: Tensor, seed: int, turn: int, queries: int
) -> Float[Tensor, "batch ..."]:
    """Return `x` with one random part pushed to one side of the ball or the other."""
    n_values = prod(x.shape[1:])
    chance = uniform(seed, rows, turn, 2 * n_values + 2)
    sign = torch.where(chance[:, :n_values] < 0.5, -1.0, 1.0).view_as(x)
    if turn == 0:
        part = torch.ones_like(x, dtype=torch.bool)
        sign = sign[..., :1, :].expand_as(x) if x.dim() == 4 else sign  # stripes, as in the paper
    else:
        share = FIRST_SHARE * 0.5 ** sum(turn > h * queries for h in HALVINGS)
        sign = sign[..., :1, :1].expand_as(x) if x.dim() == 4 else sign
        part = _part(x, chance[:, n_values:], share)
    length = 2 * ball.eps
    if ball.norm == "l2":
        length = length / part.flatten(1).sum(1).clamp_min(1).sqrt().view(-1, *[1] * (x.dim() - 1))
    return ball.project(x + length * ball.unit * sign * part)


def _part(
    x: Tensor, chance: Float[Tensor, "batch draws"], share: float
) -> Bool[Tensor, "batch ..."]:
    """Return a square of each image, or a random choice of values; about `share` of all."""
    if x.dim() != 4:
        draws = chance[:, : prod(x.shape[1:])]
        return ((draws < share) | (draws == draws.amin(1, keepdim=True))).view_as(x)
    height, width = x.shape[2:]
    side = min(max(round((share * height * width) ** 0.5), 1), height, width)
    top = (chance[:, 0] * (height - side + 1)).long()[:, None, None, None]
    left = (chance[:, 1] * (width - side + 1)).long()[:, None, None, None]
    down = torch.arange(height, device=x.device)[:, None]
    across = torch.arange(width, device=x.device)
    inside = (down >= top) & (down < top + side) & (across >= left) & (across < left + side)
    return inside.expand_as(x)
