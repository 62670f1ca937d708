"""Attacks that climb the loss: FGSM (Goodfellow et al., 2015) and PGD (Madry et al., 2018)."""

from collections.abc import Iterator
from math import cos, pi, prod

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.data import Batch, as_tensor
from fivefold.core.loss import Forward, Loss
from fivefold.core.schema import Space
from fivefold.perturb.ball import Ball, Norm, ball_around


def fgsm(
    forward: Forward, batch: Batch, loss: Loss, space: Space, *, eps: float, norm: Norm = "linf"
) -> Float[Tensor, "batch ..."]:
    """Return the inputs after one step of length `eps` up the loss."""
    ball = ball_around(as_tensor(batch.x), space, eps, norm)
    _, gradient = slope(forward, batch, loss)
    return ball.step(ball.center, gradient, eps)


def pgd(  # noqa: PLR0913  the attacker's goal, limits and effort; bundling them would only rename them
    forward: Forward,
    batch: Batch,
    loss: Loss,
    space: Space,
    *,
    eps: float,
    steps: int,
    norm: Norm = "linf",
    rng: Generator | None = None,
    restarts: int = 1,
) -> Float[Tensor, "batch ..."]:
    """Return inputs near `batch.x` on which the loss is large: the best point that any run visited.

    Only values that can move do; missing ones stay missing. No weight gets a gradient.

    Args:
        forward: The network.
        batch: Inputs and targets.
        loss: What the attacker maximises.
        space: Ranges, units, and what may move.
        eps: Radius of the ball, in units of the space.
        steps: Gradient steps of each run.
        norm: Which length `eps` bounds.
        rng: Source of random starts; without it the run starts at the input itself.
        restarts: Number of runs; more than one needs `rng`.

    Raises:
        ValueError: The arguments do not describe an attack.
    """
    if steps < 1 or restarts < 1 or (restarts > 1 and rng is None):
        raise ValueError("PGD needs steps and restarts of at least 1, and an rng for restarts.")
    ball = ball_around(as_tensor(batch.x), space, eps, norm)
    best_x, best = ball.center, torch.full((batch.size,), -torch.inf, device=ball.center.device)
    for _ in range(restarts):
        for x, value in _visited(forward, batch, loss, ball, step_sizes(eps, steps), rng):
            best_x = torch.where(_rows(value > best, x), x, best_x)
            best = torch.where(value > best, value.to(best.dtype), best)
    return best_x


def step_sizes(eps: float, steps: int) -> list[float]:
    """Return the length of each step: from `eps` down to nearly nothing, along half a cosine.

    Long steps first cross the ball, short ones last settle; no rate has to be chosen for them.
    """
    return [eps * (1 + cos(pi * t / steps)) / 2 for t in range(steps)]


def slope(
    forward: Forward, batch: Batch, loss: Loss
) -> tuple[Float[Tensor, " batch"], Float[Tensor, "batch ..."]]:
    """Return the loss of each example and its gradient in the inputs; 0 where there is none."""
    x = as_tensor(batch.x).detach().requires_grad_()
    with torch.enable_grad():
        value = loss(forward, Batch(x, batch.y))
        if not value.requires_grad:
            return value.detach(), torch.zeros_like(x)
        (gradient,) = torch.autograd.grad(value.sum(), x, materialize_grads=True)
    return value.detach(), gradient


def _visited(
    forward: Forward,
    batch: Batch,
    loss: Loss,
    ball: Ball,
    sizes: list[float],
    rng: Generator | None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield each point of one run with its loss."""
    x = ball.center if rng is None else ball.start(_uniform(ball.center, rng))
    for size in sizes:
        value, gradient = slope(forward, Batch(x, batch.y), loss)
        yield x, value
        x = ball.step(x, gradient, size)
    with torch.no_grad():
        yield x, loss(forward, Batch(x, batch.y))


def _uniform(x: Tensor, rng: Generator) -> Float[Tensor, "batch values"]:
    """Return the numbers that `Ball.start` needs; drawn on the CPU, so that the device changes nothing."""
    return torch.rand(len(x), prod(x.shape[1:]) + 1, generator=rng).to(x)


def _rows(which: Tensor, like: Tensor) -> Tensor:
    return which.view(-1, *[1] * (like.dim() - 1))
