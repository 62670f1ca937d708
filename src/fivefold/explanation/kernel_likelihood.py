"""Parameters of a kernel over sets by marginal likelihood (MacKay, 1992): one for many games, or one for each."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

RATE = 0.15
ENOUGH = 128  # games that a kernel is chosen by, evenly taken from all
LEAST = 1e-30


class Kernel(NamedTuple):
    """Parameters of some kernels, all positive: how far features interact, and two scales."""

    theta: Float[Tensor, "games features"]
    line: Float[Tensor, "games features"]
    alpha: Float[Tensor, " games"]


@dataclass(frozen=True, kw_only=True)
class Family:
    """A kind of kernel, and where its parameters are looked for.

    Attributes:
        gram: Covariance `(games, sets, sets)` of every two sets, given as signs.
        thetas: Interactions that are tried before anything is learnt.
        lines: Scales that are tried.
        pull: How firmly the parameters of each feature are held at those of all.
    """

    gram: Callable[[Kernel, Float[Tensor, "sets features"]], Float[Tensor, "games sets sets"]]
    thetas: tuple[float, ...]
    lines: tuple[float, ...]
    pull: float

    def pooled(
        self, signs: Float[Tensor, "sets features"], targets: Float[Tensor, "games sets"]
    ) -> Kernel:
        """Return the one kernel, alike for all features, that makes all games together most likely."""
        one = torch.ones(1, signs.shape[1], dtype=signs.dtype)
        found, best = None, -torch.inf
        for theta, line in product(self.thetas, self.lines):
            kernel = Kernel(one * theta, one * line, one[:, 0])
            likely = float(log_likelihood(self.gram(kernel, signs)[0], targets))
            if found is None or likely > best:
                found, best = kernel, likely
        assert found is not None
        return found

    def learnt(
        self,
        signs: Float[Tensor, "sets features"],
        targets: Float[Tensor, "kernels sets games"],
        steps: int,
    ) -> Kernel:
        """Return kernels with a reach of its own for each feature, each for all its games, held near the pooled one."""
        some = targets[:, :, :: -(-targets.shape[2] // ENOUGH)]
        every = some.transpose(1, 2).flatten(0, 1)
        start = self.pooled(signs, every[:: -(-len(every) // ENOUGH)])
        theta0, line0 = start.theta.expm1().log(), start.line.log()  # before softplus and exp
        theta = theta0.repeat(len(some), 1).requires_grad_()
        line = line0.repeat(len(some), 1).requires_grad_()
        alpha = torch.zeros(len(some), dtype=signs.dtype, requires_grad=True)
        optimizer = torch.optim.Adam([theta, line, alpha], RATE)
        with torch.enable_grad():
            for _ in range(steps):
                optimizer.zero_grad()
                away = ((line - line0) ** 2 + (theta - theta0) ** 2).sum()
                (self.pull * away).backward()
                matrix = self.gram(_positive(theta, line, alpha), signs)
                matrix.backward(slope(matrix.detach(), some))
                optimizer.step()
        return _positive(theta.detach(), line.detach(), alpha.detach())


def log_likelihood(
    matrix: Float[Tensor, "sets sets"], targets: Float[Tensor, "games sets"]
) -> Float[Tensor, ""]:
    """Return how likely some games are, the scale of each profiled out, up to a constant."""
    factor = torch.linalg.cholesky(matrix)
    white = torch.linalg.solve_triangular(factor, targets.T, upper=False)
    spread = (white**2).mean(0).clamp(min=LEAST)
    return -len(matrix) / 2 * spread.log().sum() - len(targets) * factor.diagonal().log().sum()


def slope(
    matrix: Float[Tensor, "kernels sets sets"], targets: Float[Tensor, "kernels sets games"]
) -> Float[Tensor, "kernels sets sets"]:
    """Return the gradient of minus the log-likelihood in the entries of each matrix."""
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(matrix))
    dual = inverse @ targets
    quadratic = (dual * targets).sum(1, keepdim=True).clamp(min=LEAST)
    ratio = targets.shape[1] / quadratic
    return (targets.shape[2] * inverse - (dual * ratio) @ dual.mT) / 2


def _positive(theta: Tensor, line: Tensor, alpha: Tensor) -> Kernel:
    return Kernel(torch.nn.functional.softplus(theta), line.exp(), alpha.exp())
