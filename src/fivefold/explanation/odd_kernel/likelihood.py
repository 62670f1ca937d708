"""Kernel parameters by marginal likelihood (MacKay, 1992), pooled over games or for each game of its own."""

from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.explanation.odd_kernel.kernel import Kernel, gram

PULL = 0.1  # how firmly the parameters of one game are held at those of all games
RATE = 0.15
THETAS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
LINES = (0.3, 1.0, 3.0, 10.0, 100.0)
LEAST = 1e-30


def pooled(signs: Float[Tensor, "sets features"], targets: Float[Tensor, "games sets"]) -> Kernel:
    """Return the one kernel, alike for all features, that makes all games together most likely."""
    n = signs.shape[1]
    found, best = None, -torch.inf
    for theta, line in product(THETAS, LINES):
        kernel = Kernel(_filled(n, theta), _filled(n, line), torch.ones(1, dtype=signs.dtype))
        likely = float(_log_likelihood(gram(kernel, signs)[0], targets))
        if found is None or likely > best:
            found, best = kernel, likely
    assert found is not None
    return found


def own(
    signs: Float[Tensor, "sets features"], targets: Float[Tensor, "games sets"], steps: int
) -> Kernel:
    """Return a kernel for each game, with a reach of its own for each feature, held near the pooled one."""
    start = pooled(signs, targets)
    theta0, line0 = start.theta.expm1().log(), start.line.log()  # before softplus and exp
    theta = theta0.repeat(len(targets), 1).requires_grad_()
    line = line0.repeat(len(targets), 1).requires_grad_()
    alpha = torch.zeros(len(targets), dtype=signs.dtype, requires_grad=True)
    optimizer = torch.optim.Adam([theta, line, alpha], RATE)
    with torch.enable_grad():
        for _ in range(steps):
            optimizer.zero_grad()
            (PULL * ((line - line0) ** 2 + (theta - theta0) ** 2).sum()).backward()
            matrix = gram(_positive(theta, line, alpha), signs)
            matrix.backward(_slope(matrix.detach(), targets))
            optimizer.step()
    return _positive(theta.detach(), line.detach(), alpha.detach())


def _positive(theta: Tensor, line: Tensor, alpha: Tensor) -> Kernel:
    return Kernel(torch.nn.functional.softplus(theta), line.exp(), alpha.exp())


def _slope(matrix: Tensor, targets: Tensor) -> Tensor:
    """Return the slope of -log likelihood, the scale of the game profiled out, in the matrix."""
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(matrix))
    dual = (inverse @ targets[:, :, None])[:, :, 0]
    quadratic = (dual * targets).sum(1).clamp(min=LEAST)
    ratio = (targets.shape[1] / quadratic)[:, None, None]
    return (inverse - ratio * dual[:, :, None] * dual[:, None]) / 2


def _log_likelihood(matrix: Tensor, targets: Tensor) -> Tensor:
    factor = torch.linalg.cholesky(matrix)
    white = torch.linalg.solve_triangular(factor, targets.T, upper=False)
    spread = (white**2).mean(0).clamp(min=LEAST)
    return -len(matrix) / 2 * spread.log().sum() - len(targets) * factor.diagonal().log().sum()


def _filled(n: int, value: float) -> Float[Tensor, "1 features"]:
    return torch.full((1, n), value, dtype=torch.float64)
