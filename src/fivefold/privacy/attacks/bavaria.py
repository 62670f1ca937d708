"""The Bayesian variance attack, BaVarIA (Brännvall, 2026): LiRA whose means and variances have priors."""

from dataclasses import dataclass
from math import pi
from typing import Literal, NamedTuple

from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.privacy.attacks.signal import LEAST_SPREAD, Spread
from fivefold.privacy.attacks.view import Scores, View, parted, shadows_of

FIRMEST = 1e3  # degrees of freedom of a prior when all rows seem to have one variance


@dataclass(frozen=True, kw_only=True)
class BaVarIA:
    """LiRA that shrinks each row's mean and variance as far as few shadows call for.

    The normal-inverse-gamma prior of models that saw a row, and of those that did not, is fitted by
    moments to all rows, so nothing is to be tuned.

    Attributes:
        predictive: Student's t allows for what is not known of a row's variance; normal takes the
            shrunken variance as the truth.
    """

    predictive: Literal["t", "normal"] = "t"

    @property
    def name(self) -> str:
        """What it is called in the report."""
        return "BaVarIA" if self.predictive == "t" else "normal BaVarIA"

    @property
    def needs_shadows(self) -> bool:
        """It does."""
        return True

    def scores(self, view: View, rng: Generator) -> Scores:
        """Return the log-ratio of the two predictive densities."""
        sure, inside = shadows_of(view)
        both = [posterior(Spread(sure, chosen)) for chosen in (inside, ~inside)]
        log_in, log_out = (self._log_density(view.sure, p) for p in both)
        return parted(log_in - log_out, view)

    def _log_density(self, x: Float[Tensor, " row"], p: "Posterior") -> Float[Tensor, " row"]:
        z = (x - p.mean) ** 2 / p.variance
        if self.predictive == "normal":
            return -0.5 * (z + p.variance.log())
        half = (p.freedom + 1) / 2
        top = half.lgamma() - (p.freedom / 2).lgamma()
        return top - 0.5 * (p.freedom * pi * p.variance).log() - half * (z / p.freedom).log1p()


class Posterior(NamedTuple):
    """Centre, squared scale and degrees of freedom of what another shadow would say of each row."""

    mean: Float[Tensor, " row"]
    variance: Float[Tensor, " row"]
    freedom: Float[Tensor, " row"]


def posterior(spread: Spread) -> Posterior:
    """Return the predictive distribution of each row under a prior fitted to all rows."""
    count, within = spread.count, spread.pooled
    firm = _firmness(spread)  # prior degrees of freedom of the variance
    between = (spread.mean.var() - within * (1 / count).mean()).clamp(min=LEAST_SPREAD**2)
    weight = within / between  # prior observations of the mean
    centre = spread.mean.mean()
    mean = (weight * centre + count * spread.mean) / (weight + count)
    freedom = firm + count
    pull = weight * count / (weight + count) * (spread.mean - centre) ** 2
    scale = ((firm - 2) * within + spread.squares + pull) / freedom
    return Posterior(mean, scale * (1 + 1 / (weight + count)), freedom.double())


def _firmness(spread: Spread) -> float:
    """Return degrees of freedom that explain how much variances differ between rows, above 4.

    A sample variance with d degrees of freedom scatters by 2 / d around a common truth; what is more is
    the scatter of the inverse gamma, 1 / (freedom / 2 - 2).
    """
    by_chance = float((2 / spread.freedom.clamp(min=1)).mean())
    seen = float(spread.own.var() / spread.pooled**2)
    excess = (seen - by_chance) / (1 + by_chance)
    return min(4 + 2 / excess, FIRMEST) if excess > 0 else FIRMEST
