"""Interactions of a game given some of its scores, and how sure they are (Rasmussen and Williams, 2006, chapter 2)."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.explanation.interactions.kernel import EVEN, gram, sections
from fivefold.explanation.kernel_likelihood import Kernel

LEAST = 1e-30


class Pairs(NamedTuple):
    """Mean and standard error of each pair, and the standard error of the sum of each feature's pairs."""

    values: Float[Tensor, "games features features"]
    error: Float[Tensor, "games features features"]
    together: Float[Tensor, "games features"]


def posterior(
    kernel: Kernel,
    signs: Float[Tensor, "sets features"],
    targets: Float[Tensor, "games sets"],
) -> Pairs:
    """Return what the targets say of the pairs of each game.

    The scale of the errors is the larger of what the likelihood says and of what each set, left out, is
    missed by. A kernel of one game alone serves all.
    """
    found: list[Pairs] = []
    factors = torch.linalg.cholesky(gram(kernel, signs))
    for game, target in enumerate(targets):
        at = min(game, len(factors) - 1)
        known = sections(kernel, at, signs)
        inverse = torch.cholesky_inverse(factors[at])
        dual = inverse @ target
        scale = max((dual * target).mean(), (dual**2 / inverse.diagonal()).mean())
        n = signs.shape[1]
        told = torch.cat([known.pairs.flatten(1), known.pairs.sum(2)], 1)
        white = torch.linalg.solve_triangular(factors[at], told, upper=False).square().sum(0)
        left = torch.cat([known.variance.flatten(), known.together]) - white
        error = (scale.clamp(min=0) * left.clamp(min=0)).sqrt()
        values = torch.einsum("l,lij->ij", dual, known.pairs)
        found.append(Pairs(values, error[: n * n].view(n, n), error[n * n :]))
    return Pairs(*(torch.stack(parts) for parts in zip(*found, strict=True)))


def optimism(
    signs: Float[Tensor, "sets features"], targets: Float[Tensor, "games sets"], steps: int
) -> Float[Tensor, " games"]:
    """Return by how much a kernel of a game's own understates squared errors, at least 1.

    It is chosen and scaled by every other set, and then judged by the sets in between.
    """
    half = torch.arange(len(signs)) % 2 == 1
    if half.sum() < 2:
        return torch.ones(len(targets), dtype=targets.dtype)
    kernel = EVEN.learnt(signs[half], targets[:, half, None], steps)
    matrix = gram(kernel, signs)
    known, cross = matrix[:, half][:, :, half], matrix[:, half][:, :, ~half]
    solved = torch.linalg.solve(known, torch.cat([targets[:, half, None], cross], 2))
    likely = (solved[:, :, 0] * targets[:, half]).mean(1, keepdim=True).clamp(min=LEAST)
    missed = targets[:, ~half] - (solved[:, :, :1] * cross).sum(1)
    spread = matrix.diagonal(dim1=1, dim2=2)[:, ~half] - (solved[:, :, 1:] * cross).sum(1)
    return (missed**2 / (likely * spread.clamp(min=1e-12))).mean(1).clamp(min=1)
