"""A prior over the even part of a game, of which the interactions of pairs alone are made (after Fumagalli et al., 2026).

The index of a pair is the same for a game and for the game of what is left out, as the Shapley value is the
opposite: it depends on (v(S) + v(rest)) / 2 alone. The kernel for signs x and y is the even part of
prod_i (1 + rho_i x_i y_i) with rho = tanh theta, that is alpha cosh(sum theta_i x_i y_i) / cosh(sum theta),
and sum_{i != j} line_i line_j x_i x_j y_i y_j / (n (n - 1)) for the pairs themselves, and a constant.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.explanation.kernel_likelihood import Family, Kernel
from fivefold.explanation.odd_kernel.kernel import nodes

NUGGET = 1e-8  # of the prior variance: keeps the matrix invertible
CONSTANT = 25.0  # prior variance of the level, in units of the games' own


class Sections(NamedTuple):
    """Interactions of the game k(set, .) of every set, and what is expected of them before anything is known.

    `together` is the sum of a feature's pairs, of which its main effect is made.
    """

    pairs: Float[Tensor, "sets features features"]
    variance: Float[Tensor, "features features"]
    together: Float[Tensor, " features"]


def gram(kernel: Kernel, signs: Float[Tensor, "sets features"]) -> Float[Tensor, "games sets sets"]:
    """Return the covariance of every two sets, a nugget included."""
    theta, line, alpha = kernel
    n = max(signs.shape[1], 2)
    most = theta.sum(1)[:, None, None]
    inner = (signs * theta[:, None]) @ signs.T
    curved = ((inner - most).exp() + (-inner - most).exp()) / (1 + (-2 * most).exp())
    straight = (signs * line[:, None]) @ signs.T
    square = line.square().sum(1)
    pairs = (straight.square() - square[:, None, None]) / (n * (n - 1))
    height = alpha + (line.sum(1).square() - square) / (n * (n - 1))
    nugget = NUGGET * height[:, None, None] * torch.eye(len(signs), dtype=signs.dtype)
    return alpha[:, None, None] * curved + pairs + CONSTANT + nugget


EVEN = Family(
    gram=gram,
    thetas=(0.02, 0.05, 0.1, 0.2, 0.3, 0.5),
    lines=(0.03, 0.3, 1.0, 3.0, 10.0),
    pull=0.5,
)


def sections(kernel: Kernel, game: int, signs: Float[Tensor, "sets features"]) -> Sections:
    """Return the interactions of the sections of one kernel.

    Integrals over the chance t of joining, with tau = 2 t - 1, are exact by Gauss and Legendre:
    4 rho_i rho_j x_i x_j int prod_{k != i, j} (1 + rho_k x_k tau) dt.
    """
    theta, line, alpha = (part[game] for part in kernel)
    n = len(theta)
    off = 1 - torch.eye(n, dtype=signs.dtype)
    rho, height = theta.tanh(), alpha * _log_height(theta).exp()
    tau, weight = nodes(n)
    factor = 1 + (signs * rho)[:, :, None] * tau  # (sets, features, nodes)
    share = (signs * rho)[:, :, None] / factor
    product = factor.prod(1) * weight
    curved = 4 * height * torch.einsum("lq,liq,ljq->lij", product, share, share)
    both = line[:, None] * line / max(n * (n - 1), 1)
    straight = 8 * both * signs[:, :, None] * signs[:, None]
    variance, together = _expected(rho)
    return Sections(
        (curved + straight) * off,
        (16 * height * variance + 32 * both) * off,
        16 * height * together + (32 * both * off).sum(1),
    )


def _expected(rho: Float[Tensor, " features"]) -> tuple[Tensor, Tensor]:
    """Return the variance of each pair, and of the sum of each feature's pairs, of the product alone and over 16."""
    tau, weight = nodes(len(rho))
    pairs = torch.zeros(len(rho), len(rho), dtype=rho.dtype)
    together = torch.zeros_like(rho)
    for at, chance in zip(tau, weight, strict=True):  # one node at a time: bounded memory
        s = at * tau
        factor = 1 + rho[:, None] * s  # (features, nodes)
        share, product = rho[:, None] / factor, factor.prod(0) * weight * chance
        pairs += torch.einsum("q,iq,jq->ij", product, share, share)
        others = share.sum(0) - share
        squares = share.square().sum(0) - share.square()
        together += (product * share * (others + s * (others.square() - squares))).sum(1)
    return pairs, together


def _log_height(theta: Float[Tensor, " features"]) -> Tensor:
    """Return log(prod cosh theta / cosh(sum theta))."""
    most = theta.sum()
    cosh = theta + torch.log1p((-2 * theta).exp())
    whole = most + torch.log1p((-2 * most).exp())
    return cosh.sum() - whole - (len(theta) - 1) * torch.log(torch.tensor(2.0, dtype=theta.dtype))
