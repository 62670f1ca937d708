"""What the server makes of its clients' updates: a mean (McMahan et al., 2017), or a rule that liars cannot move far.

Coordinate median and trimmed mean: Yin et al. (2018). Krum: Blanchard et al. (2017). The robust rules count
clients alike, whatever size they claim, and leave out updates that are not finite.
"""

from dataclasses import dataclass
from math import ceil
from typing import Annotated, Literal, Protocol, runtime_checkable

import torch
from annotated_types import Ge, Lt
from jaxtyping import Float, Int
from torch import Tensor

from fivefold.core.errors import BadInput
from fivefold.core.limits import Count

Minority = Annotated[float, Ge(0), Lt(0.5)]
ROUNDING = 1e-9


@runtime_checkable
class Aggregate(Protocol):
    """A rule that makes one update of many."""

    def combine(self, updates: Float[Tensor, "client weight"]) -> Float[Tensor, " weight"]:
        """Return the update of the server; there is at least one client."""
        ...


@dataclass(frozen=True, kw_only=True)
class Mean:
    """Federated averaging.

    Attributes:
        weighting: "examples" weighs a client by its number of rows, "clients" weighs all alike; "auto" is
            the first, or under a privacy claim the second, without which it would be false.
    """

    weighting: Literal["auto", "examples", "clients"] = "auto"

    def shares(self, sizes: Int[Tensor, " client"]) -> Float[Tensor, " client"]:
        """Return the weight of each client, one in sum."""
        counts = self.counts(sizes)
        return (counts.double() / counts.sum()).float()

    def counts(self, sizes: Int[Tensor, " client"]) -> Int[Tensor, " client"]:
        """Return what each client weighs: its rows, or one."""
        return torch.ones_like(sizes) if self.weighting == "clients" else sizes


@dataclass(frozen=True, kw_only=True)
class Median:
    """The median of each weight by itself; it holds while fewer than half of the clients lie."""

    def combine(self, updates: Float[Tensor, "client weight"]) -> Float[Tensor, " weight"]:
        """Return the medians; between two middle values their mean."""
        kept = _finite(updates).sort(0).values
        n = len(kept)
        return (kept[(n - 1) // 2] + kept[n // 2]) / 2


@dataclass(frozen=True, kw_only=True)
class TrimmedMean:
    """The mean of each weight without its largest and smallest values.

    Attributes:
        share: Share of the clients that is cut at each end, rounded up.
    """

    share: Minority = 0.2

    def combine(self, updates: Float[Tensor, "client weight"]) -> Float[Tensor, " weight"]:
        """Return the trimmed means.

        Raises:
            BadInput: Nothing would be left.
        """
        kept = _finite(updates).sort(0).values
        n, cut = len(kept), _count(self.share, len(updates))
        if 2 * cut >= n:
            raise _too_few("TrimmedMean", n, 2 * cut + 1)
        return kept[cut : n - cut].mean(0)


@dataclass(frozen=True, kw_only=True)
class Krum:
    """The updates that lie closest to most others.

    Attributes:
        share: Share of the clients that may lie, rounded up.
        n_kept: How many of the closest updates are averaged; 1 is Krum, more is Multi-Krum.
    """

    share: Minority = 0.2
    n_kept: Count = 1

    def combine(self, updates: Float[Tensor, "client weight"]) -> Float[Tensor, " weight"]:
        """Return the mean of the best updates.

        Raises:
            BadInput: There are too few clients for any guarantee.
        """
        kept = _finite(updates)
        n, liars = len(kept), _count(self.share, len(updates))
        if (least := max(2 * liars + 3, liars + self.n_kept)) > n:
            raise _too_few("Krum", n, least)
        wide = kept.double()
        apart = torch.cdist(wide, wide, compute_mode="donot_use_mm_for_euclid_dist").square()
        apart.fill_diagonal_(torch.inf)
        score = apart.sort(1).values[:, : n - liars - 2].sum(1)
        return kept[score.argsort(stable=True)[: self.n_kept]].mean(0)


def _finite(updates: Tensor) -> Tensor:
    kept = updates[updates.isfinite().all(1)]
    if not len(kept):
        raise BadInput(
            "No client of this round has sent finite weights.", mend="Lower the learning rate."
        )
    return kept


def _count(share: float, n: int) -> int:
    return ceil(share * n - ROUNDING)


def _too_few(rule: str, n: int, least: int) -> BadInput:
    return BadInput(
        "{rule} needs at least {least} clients in a round, and this round has {n}.",
        mend='Sample more clients, or always as many (sampling = "fixed").',
        rule=rule,
        least=least,
        n=n,
    )
