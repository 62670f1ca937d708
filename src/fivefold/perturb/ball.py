"""Where an attacked input may lie: a ball of radius eps in the schema's units, cut by the schema's ranges."""

from typing import Literal, NamedTuple, TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fivefold.core.schema import Space

Norm: TypeAlias = Literal["linf", "l2"]
ROUNDS = (
    12  # the set of values held by the range only grows, and it rarely grows more than five times
)
TINY = 1e-12


class Ball(NamedTuple):
    """The inputs within `eps` of each of a batch of centres, measured in `unit`.

    `low` and `high` hold the range, and for linf the ball as well. A centre outside its range may stay
    where it is or move inwards. `is_free` is False for what cannot move and for missing values.
    """

    center: Float[Tensor, "batch ..."]
    low: Float[Tensor, "batch ..."]
    high: Float[Tensor, "batch ..."]
    unit: Float[Tensor, "..."]
    is_free: Bool[Tensor, "batch ..."]
    eps: float
    norm: Norm

    def take(self, rows: Tensor | slice) -> "Ball":
        """Return the balls of these examples."""
        return self._replace(
            center=self.center[rows],
            low=self.low[rows],
            high=self.high[rows],
            is_free=self.is_free[rows],
        )

    def project(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Return the nearest allowed inputs; for l2, nearest when lengths are measured in `unit`."""
        if self.norm == "l2":
            moved = _shrunk(
                self._scaled(x), self._scaled(self.low), self._scaled(self.high), self.eps
            )
            x = self.center + self.unit * moved.view_as(x)
        return torch.where(self.is_free, x.clamp(self.low, self.high), self.center)

    def step(
        self, x: Float[Tensor, "batch ..."], gradient: Float[Tensor, "batch ..."], size: float
    ) -> Float[Tensor, "batch ..."]:
        """Return `x` after a step of length `size` in the steepest direction, projected."""
        slope = torch.where(self.is_free, gradient * self.unit, 0).nan_to_num(0.0)
        if self.norm == "linf":
            return self.project(x + size * self.unit * slope.sign())
        length = slope.flatten(1).norm(dim=1).clamp_min(torch.finfo(x.dtype).tiny)
        return self.project(x + size * self.unit * slope / _wide(length, x))

    def start(self, uniform: Float[Tensor, "batch values"]) -> Float[Tensor, "batch ..."]:
        """Return points spread evenly over the ball, then projected.

        Args:
            uniform: Numbers in [0, 1): one per value of an example, and one more.
        """
        if self.norm == "linf":
            away = self.eps * (2 * uniform[:, :-1] - 1)
        else:
            normal = torch.special.ndtri(uniform[:, :-1].clamp(1e-6, 1 - 1e-6))
            normal = torch.where(self.is_free.flatten(1), normal, 0)
            radius = uniform[:, -1] ** (1 / self.is_free.flatten(1).sum(1).clamp_min(1))
            away = self.eps * normal * (radius / normal.norm(dim=1).clamp_min(TINY))[:, None]
        return self.project(self.center + self.unit * away.view_as(self.center))

    def _scaled(self, x: Tensor) -> Float[Tensor, "batch values"]:
        """Return the way from the centre to `x` in units; 0 for what does not move."""
        return torch.where(self.is_free, (x - self.center) / self.unit, 0).flatten(1)


def ball_around(x: Float[Tensor, "batch ..."], space: Space, eps: float, norm: Norm) -> Ball:
    """Return the balls that an attacker of `x` has to stay in.

    Raises:
        ValueError: `eps` is negative or the norm is unknown.
    """
    if not eps >= 0:
        raise ValueError(f"eps is the radius of a ball and cannot be {eps}.")
    if norm not in ("linf", "l2"):
        raise ValueError(f"The norm is linf or l2, not {norm}.")
    low, high, unit, can_move = (part.to(x.device) for part in space)
    low, high = torch.minimum(low, x), torch.maximum(high, x)
    if norm == "linf":
        low, high = torch.maximum(low, x - eps * unit), torch.minimum(high, x + eps * unit)
    return Ball(x, low, high, unit, can_move & ~x.isnan(), eps, norm)


def _shrunk(
    y: Float[Tensor, "batch values"],
    low: Float[Tensor, "batch values"],
    high: Float[Tensor, "batch values"],
    eps: float,
) -> Float[Tensor, "batch values"]:
    """Return the point nearest to `y` with length at most `eps` between `low` <= 0 <= `high`.

    It is `y` times a factor, clipped. From a factor that is too small, each round holds the values that
    reach a bound and lets the others use what length is left; the factor rises to the right one.
    """
    inside = y.clamp(low, high).norm(dim=1) <= eps
    factor = torch.where(inside, 1.0, eps / y.norm(dim=1).clamp_min(TINY))
    held = torch.zeros_like(y, dtype=torch.bool)
    for _ in range(ROUNDS):
        scaled = factor[:, None] * y
        now = (scaled < low) | (scaled > high)
        if torch.equal(now, held):
            break
        held = now
        used = torch.where(held, scaled.clamp(low, high), 0).square().sum(1)
        rest = torch.where(held, 0, y).square().sum(1).clamp_min(TINY)
        factor = torch.where(inside, 1.0, ((eps**2 - used).clamp_min(0) / rest).sqrt().clamp(max=1))
    return (factor[:, None] * y).clamp(low, high)


def _wide(values: Float[Tensor, " batch"], like: Tensor) -> Tensor:
    return values.view(-1, *[1] * (like.dim() - 1))
