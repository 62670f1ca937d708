"""Clipping at a quantile of the gradients' norms, paid for with the gradient (Andrew et al., 2021, theorem 1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import hypot, inf
from typing import Any

from fivefold.core.errors import BadRecipe
from fivefold.core.limits import Positive, Probability
from fivefold.training.private.quantile import MovingNorm

MECHANISM = "poisson subsampled gaussian of gradients and a count"
USUAL_RISE = 1.01  # of the gradient's noise, to pay for the count
MOST_WANDER = 0.5  # of the logarithm of the norm in one batch, by noise alone, in deviations


@dataclass(frozen=True, kw_only=True)
class AdaptiveClipping:
    """The clip norm follows a quantile of the norms, from a noised count of the examples within it.

    It adds nothing to epsilon: what the count costs, the gradient's noise rises by. In small batches the
    count is mostly noise and the norm wanders.

    Attributes:
        quantile: Share of the examples whose gradient shall be left as it is.
        pace: How fast the logarithm of the norm moves.
        count_noise: Standard deviation of the noise on that count, more than half the noise multiplier.
            None lets the gradient's noise rise by 1 %.
    """

    quantile: Probability = 0.5
    pace: Positive = 0.2
    count_noise: Positive | None = None

    def noise_on_count(self, noise_multiplier: float) -> float:
        """Return the deviation of the noise on the count, where `noise_multiplier` is that of the whole."""
        if self.count_noise is not None:
            return self.count_noise
        return noise_multiplier / 2 / (1 - USUAL_RISE**-2) ** 0.5

    def noise_on_gradient(self, noise_multiplier: float) -> float:
        """Return the noise multiplier of the gradient, so that that of the whole is `noise_multiplier`.

        Raises:
            BadRecipe: The count has so little noise that it costs more than there is to spend.
        """
        count = self.noise_on_count(noise_multiplier)
        left = 1 - min(1.0, noise_multiplier / (2 * count)) ** 2
        if not left:
            raise BadRecipe(
                "count_noise = {count} costs more privacy than this training may spend.",
                where="clipping.count_noise",
                mend="Use more than {least}, or leave it out.",
                count=count,
                least=noise_multiplier / 2,
            )
        return noise_multiplier / left**0.5

    def record(self, noise_multiplier: float) -> Mapping[str, Any]:
        """Return what the lineage keeps of it; its clip norm is the first one."""
        return {
            "mechanism": MECHANISM,
            "noise_multiplier": self.noise_on_gradient(noise_multiplier),
            "count_noise": self.noise_on_count(noise_multiplier),
            "quantile": self.quantile,
            "pace": self.pace,
        }

    def moving(self, clip_norm: float, noise_multiplier: float, expected_size: float) -> MovingNorm:
        """Return the norm before the first batch.

        Raises:
            BadRecipe: The count is drowned in noise.
        """
        count_noise = self.noise_on_count(noise_multiplier)
        if self.pace * count_noise > MOST_WANDER * expected_size:
            raise BadRecipe(
                "Batches of {size} are so small that the noise on the count would throw the clip norm about.",
                where="clipping",
                mend='Raise rate, lower pace or count_noise, or use clipping = "automatic".',
                size=expected_size,
            )
        return MovingNorm(
            norm=clip_norm,
            quantile=self.quantile,
            pace=self.pace,
            count_noise=count_noise,
            expected_size=expected_size,
        )


def joint_noise(gradient: float, count: float) -> float:
    """Return the noise multiplier of one Gaussian mechanism that is as private as both noises together.

    In units of its noise, an example moves the sum of the gradients by at most 1 / `gradient`, and the count
    by at most 1/2 / `count`, in a direction of its own: together by the root of the sum of squares.

    Raises:
        ValueError: One of them is not noise.
    """
    if not (0 < gradient < inf and 0 < count < inf):
        raise ValueError(f"Noise is positive and finite: {gradient}, {count}.")
    return 1 / hypot(1 / gradient, 0.5 / count)
