"""Who takes part in a round, and who leaves before its end."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from fivefold.core.data import distinct

Sampling: TypeAlias = Literal["poisson", "fixed"]
STAYS = 3


class Asked(NamedTuple):
    """Who was asked in a round, and when each of them left.

    Attributes:
        ids: Numbers of the clients, in order.
        left: 0 before it has answered at all, 1 before it has shared secrets, 2 before it has sent its
            update, 3 for those who stay. Without secure aggregation the first three are one.
    """

    ids: Int[Tensor, " client"]
    left: Int[Tensor, " client"]

    @property
    def stays(self) -> Bool[Tensor, " client"]:
        """Who sends an update."""
        return self.left == STAYS

    @property
    def answering(self) -> Int[Tensor, " client"]:
        """The numbers of those who send an update."""
        return self.ids[self.stays]


@dataclass(frozen=True, kw_only=True)
class Cohorts:
    """Who takes part in a round.

    Attributes:
        rate: Share of the clients that are asked.
        sampling: "poisson" for a coin per client, "fixed" for always as many.
        dropout: Probability that a client that was asked does not send its update. With secure
            aggregation it leaves before its keys, its shares or its update, a third each.
    """

    rate: float
    sampling: Sampling
    dropout: float

    def ask(self, n_clients: int, rng: Generator) -> Asked:
        """Return those who are asked, and when they leave. There may be none."""
        if self.sampling == "poisson":
            ids = (_uniform(n_clients, rng) < self.rate).nonzero()[:, 0]
        else:
            n = max(1, round(self.rate * n_clients))
            ids = distinct(n, n_clients, rng).sort().values
        drawn = _uniform(len(ids), rng)
        left = (drawn * STAYS / (self.dropout or 1.0)).long().clamp(max=STAYS - 1)
        return Asked(ids, torch.where(drawn >= self.dropout, STAYS, left))

    def draw(self, n_clients: int, rng: Generator) -> Int[Tensor, " client"]:
        """Return those who answer, in order. There may be none."""
        return self.ask(n_clients, rng).answering


def _uniform(n: int, rng: Generator) -> Float[Tensor, " number"]:
    return torch.rand(n, dtype=torch.float64, generator=rng)
