"""How much each canary looks included, from what was released (after Nasr et al., 2023).

A score only has to put included canaries first: what is proved holds for any score, and is never more than
the truth. A good one knows the mechanism: the likelihood ratio of a Poisson-subsampled Gaussian, with the
noise of each step as it is seen and not as it was claimed.
"""

from math import log, log1p

import torch
from jaxtyping import Float
from torch import Tensor

TINY = 1e-6  # noise below this share of the clipping norm is none
DEVIATIONS = 1.4826  # of a normal distribution in one median of absolute deviations


def likelihood(
    seen: Float[Tensor, "step canary"], clip_norm: float, rate: float
) -> Float[Tensor, " canary"]:
    """Return the log-likelihood ratio of being included, over all steps.

    A step without noise counts for more than all others together.
    """
    shown, pull = _against_noise(seen, clip_norm)
    if rate == 1:
        return shown.sum(0)
    still = torch.full_like(shown, log1p(-rate))
    return torch.logaddexp(still, shown - pull + log(rate)).sum(0)


def changes(
    seen: Float[Tensor, "step canary"], clip_norm: float, rate: float
) -> Float[Tensor, " canary"]:
    """Return the same from the differences of one step and the next, in which noise used twice is gone."""
    moved = rate * (1 - rate)
    if not moved or len(seen) < 2:
        return torch.zeros(seen.shape[1], dtype=seen.dtype)
    shown, pull = _against_noise(seen.diff(dim=0), clip_norm)
    still = torch.full_like(shown, log1p(-2 * moved))
    came, went = shown - pull + log(moved), -shown - pull + log(moved)
    return torch.logaddexp(still, torch.logaddexp(came, went)).sum(0)


def _against_noise(seen: Tensor, clip_norm: float) -> tuple[Tensor, Tensor]:
    """Return what each canary shows, and what it would cost if it were not there, both by the noise.

    The noise is what most canaries show: they are in few batches, if they are included at all.
    """
    middle = seen.median(1, keepdim=True).values
    spread = DEVIATIONS * (seen - middle).abs().median(1, keepdim=True).values
    noise = spread.clamp(min=TINY * clip_norm).square()
    return clip_norm * (seen - middle) / noise, clip_norm**2 / (2 * noise)
