"""The rounds of a federated run: who comes, what they send, how the server moves."""

from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from fivefold.core import progress
from fivefold.core.data import distinct
from fivefold.core.errors import BadRecipe
from fivefold.privacy.federated.aggregate import Aggregate, Mean
from fivefold.privacy.federated.local import Answers, Part
from fivefold.privacy.federated.order import Local
from fivefold.privacy.federated.partition import Clients
from fivefold.privacy.federated.private import check_delta, clipped_sum, private_mean
from fivefold.privacy.federated.server import Server
from fivefold.privacy.plan import Plan

Sampling: TypeAlias = Literal["poisson", "fixed"]
MOST_CONTROLS = 2**28


@dataclass(frozen=True, kw_only=True)
class Cohorts:
    """Who takes part in a round.

    Attributes:
        rate: Share of the clients that are asked.
        sampling: "poisson" for a coin per client, "fixed" for always as many.
        dropout: Probability that a client that was asked does not answer.
    """

    rate: float
    sampling: Sampling
    dropout: float

    def draw(self, n_clients: int, rng: Generator) -> Int[Tensor, " client"]:
        """Return those who answer, in order. There may be none."""
        if self.sampling == "poisson":
            asked = (_uniform(n_clients, rng) < self.rate).nonzero()[:, 0]
        else:
            n = max(1, round(self.rate * n_clients))
            asked = distinct(n, n_clients, rng).sort().values
        return asked[_uniform(len(asked), rng) >= self.dropout]


class Sites(Protocol):
    """Where the clients are: in this process, or on machines of their own."""

    @property
    def clients(self) -> Clients:
        """Who they are, and how many rows each holds."""
        ...

    @property
    def local(self) -> Local:
        """What each does in a round."""
        ...

    def answers(
        self,
        server: Float[Tensor, " weight"],
        ids: Int[Tensor, " client"],
        round_: int,
        drift: Float[Tensor, "client weight"] | None,
    ) -> Answers:
        """Ask the clients `ids` to train from the weights of the server."""
        ...


@dataclass(frozen=True, kw_only=True)
class Noisy:
    """What a private mean needs: the plan that the accountant reads, and the source of its noise."""

    plan: Plan
    noise: Generator


@dataclass(kw_only=True)
class Controls:
    """SCAFFOLD's estimates of the gradient: one of the server, one of each client.

    Attributes:
        server: The server's.
        own: The clients'.
    """

    server: Float[Tensor, " weight"]
    own: Float[Tensor, "client weight"]

    def drift(self, ids: Int[Tensor, " client"]) -> Float[Tensor, "client weight"]:
        """Return what corrects the gradients of the clients `ids`."""
        return self.server - self.own[ids]

    def learn(self, site: Sites, ids: Int[Tensor, " client"], updates: Tensor) -> None:
        """Take in how far the clients `ids` moved (option II of the paper)."""
        steps = site.local.steps(site.clients.size[ids]).to(updates)[:, None]
        change = -self.server - updates / (steps * site.local.lr)
        self.own[ids] += change
        self.server = self.server + change.sum(0) / len(self.own)


def controls_of(weights: Float[Tensor, " weight"], n_clients: int) -> Controls:
    """Return estimates of zero.

    Raises:
        BadRecipe: They would not fit in memory: there is a row of weights for each client.
    """
    if n_clients * len(weights) > MOST_CONTROLS:
        raise BadRecipe(
            "Control variates keep {weights} numbers for each of {n} clients, which is too much.",
            where="control_variates",
            mend="Use fewer clients or a smaller network, or leave them out.",
            weights=len(weights),
            n=n_clients,
        )
    return Controls(
        server=torch.zeros_like(weights), own=weights.new_zeros(n_clients, len(weights))
    )


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """All rounds.

    Attributes:
        site: The clients, and how they train.
        cohorts: Who takes part.
        aggregate: What is made of updates.
        server: How the server moves.
        noisy: What makes the mean private; None for nothing.
        controls: SCAFFOLD's estimates; None for nothing.
    """

    site: Sites
    cohorts: Cohorts
    aggregate: Aggregate | Mean
    server: Server
    noisy: Noisy | None = None
    controls: Controls | None = field(default=None, compare=False)

    def run(
        self, weights: Float[Tensor, " weight"], n_rounds: int, rng: Generator
    ) -> Float[Tensor, " weight"]:
        """Return the server's weights after `n_rounds`."""
        past, n_clients = self.server.start(weights), len(self.site.clients.size)
        if self.noisy is not None:
            check_delta(self.noisy.plan, n_clients)
        for round_ in progress.track(range(n_rounds), "federated rounds"):
            ids = self.cohorts.draw(n_clients, rng)
            drift = None if self.controls is None else self.controls.drift(ids)
            update = self._update(weights, self.site.answers(weights, ids, round_, drift))
            if update is not None:
                weights, past = self.server.move(weights, update, past)
        return weights

    def _update(self, weights: Tensor, answers: Answers) -> Tensor | None:
        """Return the update of the server, or None if nobody came and nothing must be hidden."""
        if self.noisy is not None:
            return self._private(self.noisy, weights, answers)
        if not len(answers.ids):
            return None
        if isinstance(self.aggregate, Mean):
            return self._mean(self.aggregate, weights, answers)
        updates = weights.new_zeros(len(answers.ids), len(weights))
        for places, moved in answers.parts:
            updates[places] = moved
        return self.aggregate.combine(updates)

    def _private(self, noisy: Noisy, weights: Tensor, answers: Answers) -> Tensor:
        total = torch.zeros_like(weights)
        for _, moved in answers.parts:
            total += clipped_sum(moved, noisy.plan.clip_norm)
        return private_mean(total, noisy.plan, len(self.site.clients.size), noisy.noise)

    def _mean(self, rule: Mean, weights: Tensor, answers: Answers) -> Tensor:
        shares = rule.shares(self.site.clients.size[answers.ids]).to(weights)
        total = torch.zeros_like(weights)
        learned: list[Part] = []
        for part in answers.parts:
            total += shares[part.places] @ part.updates
            if self.controls is not None:
                learned.append(part)
        if self.controls is not None:
            places = torch.cat([p.places for p in learned])
            moved = torch.cat([p.updates for p in learned])
            self.controls.learn(self.site, answers.ids[places], moved)
        return total


def _uniform(n: int, rng: Generator) -> Float[Tensor, " number"]:
    return torch.rand(n, dtype=torch.float64, generator=rng)
