"""A prior over the odd part of a game, of which Shapley values alone are made (Fumagalli et al., 2026, arXiv 2602.01399).

The kernel is alpha sinh(sum_i theta_i x_i y_i) / sinh(sum theta) + sum_i line_i x_i y_i / n for signs x and y:
the odd part of prod_i (1 + rho_i x_i y_i) with rho = tanh theta, and a line. The first is 1 at x = y.
"""

from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.explanation.kernel_likelihood import Family, Kernel

NUGGET = 1e-8  # of the prior variance: keeps the matrix invertible


def gram(kernel: Kernel, signs: Float[Tensor, "sets features"]) -> Float[Tensor, "games sets sets"]:
    """Return the covariance of every two sets, a nugget included."""
    theta, line, alpha = kernel
    most = theta.sum(1)[:, None, None]
    inner = (signs * theta[:, None]) @ signs.T
    # sinh(inner) / sinh(most), without an overflow: |inner| <= most
    curved = ((inner - most).exp() - (-inner - most).exp()) / -torch.expm1(-2 * most)
    straight = (signs * line[:, None]) @ signs.T / signs.shape[1]
    nugget = NUGGET * (alpha + line.mean(1))
    together = alpha[:, None, None] * curved + straight
    return together + nugget[:, None, None] * torch.eye(len(signs), dtype=signs.dtype)


ODD = Family(
    gram=gram,
    thetas=(0.02, 0.05, 0.1, 0.2, 0.3, 0.5),
    lines=(0.3, 1.0, 3.0, 10.0, 100.0),
    pull=0.1,
)


def section_values(
    kernel: Kernel, signs: Float[Tensor, "sets features"]
) -> Float[Tensor, "games sets features"]:
    """Return the Shapley values of the game k(set, .) of every set.

    Owen's integral over the chance t of joining, with tau = 2 t - 1, is exact by Gauss and Legendre:
    2 rho_i x_i int prod_{k != i} (1 + rho_k x_k tau) dt. As x is a sign, log(1 + rho x tau) is
    log(1 - (rho tau)^2) / 2 + x atanh(rho tau), so that no sum runs over sets, features and nodes at once.
    """
    tau, weight = nodes(signs.shape[1])
    rho = kernel.theta.tanh()
    reach = rho[:, :, None] * tau  # (games, features, nodes)
    even = torch.log1p(-(reach**2))
    level = even.sum(1) / 2 - _log_height(kernel.theta)[:, None]
    product = (signs @ reach.atanh() + level[:, None]).exp() * weight  # (games, sets, nodes)
    share = (-even).exp().transpose(1, 2)  # (games, nodes, features)
    odd = signs * (product @ share)
    without = odd - rho[:, None] * ((product * tau) @ share)
    curved = 2 * kernel.alpha[:, None, None] * rho[:, None] * without
    return curved + 2 * signs * kernel.line[:, None] / signs.shape[1]


def prior_variance(kernel: Kernel) -> Float[Tensor, "games features"]:
    """Return the variance of each Shapley value before anything is known of the game."""
    tau, weight = nodes(kernel.theta.shape[1])
    rho = kernel.theta.tanh()
    height = _log_height(kernel.theta)[:, None, None]
    both = torch.zeros_like(rho)
    for at, share in zip(tau, weight, strict=True):  # one node at a time: bounded memory
        factor = torch.log1p(rho[:, :, None] * (at * tau))  # (games, features, nodes)
        others = (factor.sum(1, keepdim=True) - factor - height).exp()
        both += share * (others @ weight)
    return 4 * kernel.alpha[:, None] * rho * both + 4 * kernel.line / kernel.theta.shape[1]


def _log_height(theta: Float[Tensor, "games features"]) -> Float[Tensor, " games"]:
    """Return log(sinh(sum theta) / prod cosh theta), the odd part of the product at x = y."""
    most = theta.sum(1)
    cosh = theta + torch.log1p((-2 * theta).exp()) - np.log(2)
    return most + torch.log(-torch.expm1(-2 * most)) - np.log(2) - cosh.sum(1)


def nodes(n: int) -> tuple[Float[Tensor, " nodes"], Float[Tensor, " nodes"]]:
    """Return points in (-1, 1) and weights that add up to 1, exact for polynomials up to degree n."""
    tau, weight = _legendre(n // 2 + 1)
    return torch.from_numpy(tau), torch.from_numpy(weight)


@cache
def _legendre(count: int) -> tuple[np.ndarray, np.ndarray]:
    tau, weight = np.polynomial.legendre.leggauss(count)
    return tau, weight / 2
