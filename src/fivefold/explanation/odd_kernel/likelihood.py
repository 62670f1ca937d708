"""Kernel parameters by marginal likelihood (MacKay, 1992), for each game or for many together."""

from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.explanation.odd_kernel.kernel import Kernel, gram

PULL = 0.1  # how firmly the parameters of each feature are held at those of all
RATE = 0.15
ENOUGH = 128  # games that a kernel is chosen by, evenly taken from all
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


def learnt(
    signs: Float[Tensor, "sets features"], targets: Float[Tensor, "kernels sets games"], steps: int
) -> Kernel:
    """Return kernels with a reach of its own for each feature, each for all its games, held near the pooled one."""
    some = targets[:, :, :: -(-targets.shape[2] // ENOUGH)]
    every = some.transpose(1, 2).flatten(0, 1)
    start = pooled(signs, every[:: -(-len(every) // ENOUGH)])
    theta0, line0 = start.theta.expm1().log(), start.line.log()  # before softplus and exp
    theta = theta0.repeat(len(some), 1).requires_grad_()
    line = line0.repeat(len(some), 1).requires_grad_()
    alpha = torch.zeros(len(some), dtype=signs.dtype, requires_grad=True)
    optimizer = torch.optim.Adam([theta, line, alpha], RATE)
    with torch.enable_grad():
        for _ in range(steps):
            optimizer.zero_grad()
            (PULL * ((line - line0) ** 2 + (theta - theta0) ** 2).sum()).backward()
            matrix = gram(_positive(theta, line, alpha), signs)
            matrix.backward(_slope(matrix.detach(), some))
            optimizer.step()
    return _positive(theta.detach(), line.detach(), alpha.detach())


def _positive(theta: Tensor, line: Tensor, alpha: Tensor) -> Kernel:
    return Kernel(torch.nn.functional.softplus(theta), line.exp(), alpha.exp())


def _slope(matrix: Tensor, targets: Tensor) -> Tensor:
    """Return the slope of -log likelihood, the scale of each game profiled out, in the matrix."""
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(matrix))
    dual = inverse @ targets
    quadratic = (dual * targets).sum(1, keepdim=True).clamp(min=LEAST)
    ratio = targets.shape[1] / quadratic
    return (targets.shape[2] * inverse - (dual * ratio) @ dual.mT) / 2


def _log_likelihood(matrix: Tensor, targets: Tensor) -> Tensor:
    factor = torch.linalg.cholesky(matrix)
    white = torch.linalg.solve_triangular(factor, targets.T, upper=False)
    spread = (white**2).mean(0).clamp(min=LEAST)
    return -len(matrix) / 2 * spread.log().sum() - len(targets) * factor.diagonal().log().sum()


def _filled(n: int, value: float) -> Float[Tensor, "1 features"]:
    return torch.full((1, n), value, dtype=torch.float64)
