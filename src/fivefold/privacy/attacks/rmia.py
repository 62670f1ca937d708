"""Robust membership inference (Zarifzadeh et al., 2024), scored by one sort."""

from dataclasses import dataclass
from math import log
from typing import Annotated

import torch
from annotated_types import Ge
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from fivefold.core.limits import Share
from fivefold.privacy.attacks.signal import log_likelihood
from fivefold.privacy.attacks.view import Scores, View, parted, shadows_of
from fivefold.privacy.roc import auc

SLOPES = tuple(i / 10 for i in range(11))
MOST_REHEARSALS = 4


@dataclass(frozen=True, kw_only=True)
class RMIA:
    """Asks how many rows of the population gain less from this model than the row in question.

    A row's gain is the probability that the model gives to its truth, over what models give to it on
    average. The population is all rows that are judged.

    Attributes:
        gamma: How many times larger than another row's a gain must be to count.
        online: Whether the attacker has shadows trained on the row.
        slope: Offline only: how much of the average over all models those that never saw the row
            account for (`a` of the paper). None finds it by attacking shadows in the model's place.
    """

    gamma: Annotated[float, Ge(1)] = 1.0
    online: bool = True
    slope: Share | None = None

    @property
    def name(self) -> str:
        """What it is called in the report."""
        return "RMIA" if self.online else "offline RMIA"

    @property
    def needs_shadows(self) -> bool:
        """It does."""
        return True

    def scores(self, view: View, rng: Generator) -> Scores:
        """Return for each row the share of rows that gain less."""
        sure, inside = shadows_of(view)
        own = log_likelihood(view.sure, sure[~inside], view.model.task)
        theirs = log_likelihood(sure, sure[~inside], view.model.task)
        gain = self._gain(own, theirs, inside)
        return parted(share_beaten(gain, gain, log(self.gamma)), view)

    def _gain(
        self,
        own: Float[Tensor, " row"],
        theirs: Float[Tensor, "shadow row"],
        inside: Bool[Tensor, "shadow row"],
    ) -> Float[Tensor, " row"]:
        if self.online:
            return own - log_mean(theirs, torch.ones_like(inside))
        slope = best_slope(theirs, inside) if self.slope is None else self.slope
        return own - log_average(log_mean(theirs, ~inside), slope)


def share_beaten(
    own: Float[Tensor, " row"], population: Float[Tensor, " other"], margin: float
) -> Float[Tensor, " row"]:
    """Return for each of `own` the share of `population` that lies at least `margin` below it.

    The same numbers as the matrix of all comparisons, in the memory of its two edges.
    """
    ordered = (population + margin).sort().values
    return torch.searchsorted(ordered, own, right=True).double() / len(population)


def log_mean(
    value: Float[Tensor, "shadow row"], chosen: Bool[Tensor, "shadow row"]
) -> Float[Tensor, " row"]:
    """Return the logarithm of the mean of exp(`value`) over the chosen shadows of each row."""
    return value.masked_fill(~chosen, -torch.inf).logsumexp(0) - chosen.sum(0).log()


def log_average(outside: Float[Tensor, " row"], slope: float) -> Float[Tensor, " row"]:
    """Return the logarithm of the average over all models, guessed from those that never saw the row."""
    rest = outside.new_tensor((1 - slope) / 2).log()
    return torch.logaddexp(outside + log((1 + slope) / 2), rest)


def best_slope(theirs: Float[Tensor, "shadow row"], inside: Bool[Tensor, "shadow row"]) -> float:
    """Return the slope with which offline attacks on the shadows themselves succeed best."""
    total = torch.zeros(len(SLOPES), dtype=torch.float64)
    for target in range(min(len(inside), MOST_REHEARSALS)):
        mine, left = inside[target], ~inside
        left[target] = False
        outside = log_mean(theirs, left)
        gains = [theirs[target] - log_average(outside, slope) for slope in SLOPES]
        total += torch.tensor([auc(g[mine], g[~mine]).value for g in gains])
    return SLOPES[int(total.argmax())]
