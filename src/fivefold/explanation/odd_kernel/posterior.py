"""Shapley values of a game given some of its scores, and how sure they are (Rasmussen and Williams, 2006, chapter 2)."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.explanation.kernel_likelihood import Kernel
from fivefold.explanation.odd_kernel.kernel import gram, prior_variance, section_values

Find: TypeAlias = Callable[[Tensor, Tensor], Kernel]  # from signs and targets


class Posterior(NamedTuple):
    """Mean and standard error of each Shapley value."""

    values: Float[Tensor, "kernels features games"]
    error: Float[Tensor, "kernels features games"]


def posterior(
    kernel: Kernel,
    signs: Float[Tensor, "sets features"],
    targets: Float[Tensor, "kernels sets games"],
) -> Posterior:
    """Return what the targets say of the values; each kernel serves as many games.

    The scale of the errors is the larger of what the likelihood says and of what each set, left out,
    is missed by.
    """
    factor = torch.linalg.cholesky(gram(kernel, signs))
    inverse = torch.cholesky_inverse(factor)
    sections = section_values(kernel, signs)
    dual = inverse @ targets
    white = torch.linalg.solve_triangular(factor, sections, upper=False)
    spread = (prior_variance(kernel) - (white**2).sum(1)).clamp(min=0)
    likely = (dual * targets).mean(1)
    missed = (dual**2 / inverse.diagonal(dim1=1, dim2=2)[:, :, None]).mean(1)
    scale = torch.maximum(likely, missed).clamp(min=0)
    error = (scale[:, None] * spread[:, :, None]).sqrt()
    return Posterior(sections.transpose(1, 2) @ dual, error)


def optimism(
    find: Find, signs: Float[Tensor, "sets features"], targets: Float[Tensor, "kernels sets games"]
) -> Float[Tensor, "kernels games"]:
    """Return by how much a kernel that was chosen by the answers understates squared errors, at least 1.

    It is chosen and scaled by every other set, and then judged by the sets in between: by how far they
    are from what it expects, in units of what it says it may miss them by.
    """
    half = torch.arange(len(signs)) % 2 == 1
    if half.sum() < 2:
        return torch.ones_like(targets[:, 0])
    matrix = gram(find(signs[half], targets[:, half]), signs)
    known, cross = matrix[:, half][:, :, half], matrix[:, half][:, :, ~half]
    dual, answer = torch.linalg.solve(known, targets[:, half]), torch.linalg.solve(known, cross)
    likely = (dual * targets[:, half]).mean(1, keepdim=True).clamp(min=1e-30)
    missed = targets[:, ~half] - cross.mT @ dual
    spread = matrix.diagonal(dim1=1, dim2=2)[:, ~half] - (answer * cross).sum(1)
    return (missed**2 / (likely * spread.clamp(min=1e-12)[:, :, None])).mean(1).clamp(min=1)
