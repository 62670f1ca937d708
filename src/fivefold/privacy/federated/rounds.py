"""The rounds of a federated run: who comes, what they send, how the server moves."""

from dataclasses import dataclass, field
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from fivefold.core import progress
from fivefold.core.errors import BadRecipe
from fivefold.privacy.federated.aggregate import Aggregate, Mean
from fivefold.privacy.federated.cohorts import Asked, Cohorts
from fivefold.privacy.federated.failing import check_failing
from fivefold.privacy.federated.local import Answers, Part, Site
from fivefold.privacy.federated.order import Local
from fivefold.privacy.federated.partition import Clients
from fivefold.privacy.federated.private import Noisy, check_delta, clipped_sum, private_mean
from fivefold.privacy.federated.secure import SecureSums
from fivefold.privacy.federated.server import Server

MOST_CONTROLS = 2**28


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
        secure: What hides single updates from the server; None for nothing.
    """

    site: Sites
    cohorts: Cohorts
    aggregate: Aggregate | Mean
    server: Server
    noisy: Noisy | None = None
    controls: Controls | None = field(default=None, compare=False)
    secure: SecureSums | None = None

    def run(
        self, weights: Float[Tensor, " weight"], n_rounds: int, rng: Generator
    ) -> Float[Tensor, " weight"]:
        """Return the server's weights after `n_rounds`."""
        past, n_clients, n_moves = self.server.start(weights), len(self.site.clients.size), 0
        self._check(n_clients)
        for round_ in progress.track(range(n_rounds), "federated rounds"):
            asked = self.cohorts.ask(n_clients, rng)
            update = self._round(weights, asked, round_)
            if update is not None:
                weights, past = self.server.move(weights, update, past)
                n_moves += 1
        if self.secure is not None and not n_moves:
            raise all_failed(n_rounds)
        return weights

    def _check(self, n_clients: int) -> None:
        if self.noisy is not None:
            check_delta(self.noisy.plan, n_clients)
        if self.secure is None:
            return
        if not isinstance(self.site, Site):
            raise BadRecipe(
                "Clients on machines of their own would have to mask their updates there, and these do not.",
                where="secure",
                mend="Leave it out, or train the clients in one process.",
            )
        if self.noisy is not None:
            check_failing(self.secure.rule, self.cohorts, self.noisy.plan, n_clients)

    def _round(self, weights: Tensor, asked: Asked, round_: int) -> Tensor | None:
        """Return the update of the server, or None if nothing is learnt in this round."""
        ids = asked.answering
        drift = None if self.controls is None else self.controls.drift(ids)
        answers = self.site.answers(weights, ids, round_, drift)
        if self.secure is None:
            return self._update(weights, answers)
        if self.noisy is not None:
            found = self.secure.private_mean(asked, answers, self.noisy, round_, len(weights))
        else:
            assert isinstance(self.aggregate, Mean), "a secure sum makes a mean alone"
            counts = self.aggregate.counts(self.site.clients.size)
            found = self.secure.mean(asked, answers, counts, round_)
        return None if found is None else found.to(weights)

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


def all_failed(n_rounds: int) -> BadRecipe:
    """Return the error for a secure run that has learnt nothing."""
    return BadRecipe(
        "In none of {n} rounds did enough clients stay for a secure sum.",
        where="secure",
        mend="Use more clients, a higher rate, a lower threshold or fewer drop-outs.",
        n=n_rounds,
    )
