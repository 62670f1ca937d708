"""Rounds whose server sees sums alone: all clients run the protocol (Bonawitz et al., 2017) in this process."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from fivefold.core.errors import BadRecipe
from fivefold.privacy.federated.cohorts import Asked
from fivefold.privacy.federated.local import Answers, Part
from fivefold.privacy.federated.private import Noisy, clipped, private_mean
from fivefold.privacy.secure_aggregation import (
    Client,
    Delivery,
    FixedPoint,
    SecureAggregation,
    Server,
)


class Summed(NamedTuple):
    """What the server learns of a round.

    Attributes:
        values: The sum of what clients have sent.
        n: The sum of their counts: of rows, or of clients.
    """

    values: Float[Tensor, " weight"]
    n: int


@dataclass(frozen=True, kw_only=True)
class SecureSums:
    """The secure sums of a run.

    Attributes:
        rule: What all sides agree on.
        largest: Largest absolute value of what a client sends.
        n_summed: How many clients the grid has room for. None is how many join a round; a private run
            needs a grid that does not depend on them.
        name: Name of the run. Keys depend on it.
    """

    rule: SecureAggregation
    largest: float
    n_summed: int | None = None
    name: bytes = field(default_factory=lambda: secrets.token_bytes(16), compare=False, repr=False)

    def mean(
        self, asked: Asked, answers: Answers, size: Int[Tensor, " client"], round_: int
    ) -> Float[Tensor, " weight"] | None:
        """Return the mean update of a round, or None if too few clients stay.

        Args:
            asked: Who was asked, and when each leaves.
            answers: What those send who stay.
            size: What each client of the run weighs. Its largest value is taken as known by all.
            round_: Number of the round.
        """
        own, most = size[answers.ids], int(size.max())
        share = own.double() / most
        sent = (Part(at, rows.cpu().double() * share[at, None]) for at, rows in answers.parts)
        summed = self.of(asked, own, round_, sent)
        return None if summed is None else summed.values * (most / summed.n)

    def private_mean(
        self, asked: Asked, answers: Answers, noisy: Noisy, round_: int, width: int
    ) -> Float[Tensor, " weight"]:
        """Return the noisy mean of a round; clients clip by themselves, the server adds noise to their sum.

        Rounding to the grid may lengthen an update, so it is clipped a little shorter. A round in which too
        few stay is noise alone.

        Raises:
            BadRecipe: The grid is too coarse for any update to stay within its bound.
        """
        assert self.n_summed is not None, "the grid would depend on who came"
        plan, n = noisy.plan, self.n_summed
        norm = within(plan.clip_norm, self.grid(n).step, width)
        sent = (Part(at, clipped(rows, norm)) for at, rows in answers.parts)
        summed = self.of(asked, torch.ones_like(answers.ids), round_, sent)
        total = torch.zeros(width, dtype=torch.float64) if summed is None else summed.values
        return private_mean(total, plan, n, noisy.noise)

    def of(
        self, asked: Asked, sizes: Int[Tensor, " client"], round_: int, sent: Iterable[Part]
    ) -> Summed | None:
        """Return the sum of a round, or None if too few clients stay.

        Args:
            asked: Who was asked, and when each leaves.
            sizes: Counts of those who stay, which are summed beside what they send.
            round_: Number of the round.
            sent: What they send, from whoever stays, in any order; not read if too few stay.
        """
        if not is_enough(self.rule, asked):
            return None
        joined = [
            c for c, left in zip(asked.ids.tolist(), asked.left.tolist(), strict=True) if left
        ]
        grid = self.grid(len(joined))
        staying, run = asked.answering.tolist(), None
        for places, rows in sent:
            run = run or self._opened(asked, rows.shape[1] + 1, round_)
            for place, row in zip(places.tolist(), rows, strict=True):
                run.send(staying[place], grid, row, int(sizes[place]))
        return None if run is None else run.close(grid)

    def grid(self, n_joined: int) -> FixedPoint:
        """Return the grid on which `n_joined` clients are summed."""
        return self.rule.grid(self.n_summed or n_joined, self.largest)

    def _opened(self, asked: Asked, width: int, round_: int) -> "_Round":
        """Run the protocol up to where clients send their numbers."""
        context = self.name + round_.to_bytes(8, "big")
        server = Server(rule=self.rule, context=context, width=width)
        left = dict(zip(asked.ids.tolist(), asked.left.tolist(), strict=True))
        clients = {
            i: Client(rule=self.rule, number=i, context=context) for i, at in left.items() if at > 0
        }
        for client in clients.values():
            server.take_keys(client.join())
        roster = server.roster()
        for number, client in clients.items():
            if left[number] > 1:
                server.take_shares(client.share(roster))
        return _Round(server, clients, server.deliveries())


class _Round(NamedTuple):
    server: Server
    clients: Mapping[int, Client]
    deliveries: Mapping[int, Delivery]

    def send(self, number: int, grid: FixedPoint, row: Tensor, size: int) -> None:
        """Let a client send its numbers under masks."""
        whole = grid.encode(row)
        values = np.append(whole, np.array([size], dtype=whole.dtype))
        self.server.take_masked(self.clients[number].mask(self.deliveries[number], values))

    def close(self, grid: FixedPoint) -> Summed:
        """Let those who have stayed uncover the sum."""
        survivors = self.server.survivors()
        for number in survivors.clients:
            self.server.take_reveal(self.clients[number].reveal(survivors))
        total = self.server.total()
        return Summed(grid.decode(total[:-1]), int(total[-1]))


def is_enough(rule: SecureAggregation, asked: Asked) -> bool:
    """Whether so many stay that the round has a sum."""
    n_joined = int((asked.left > 0).sum())
    return len(asked.answering) >= rule.least(n_joined)


def secure_sums(
    rule: SecureAggregation | None, noisy: Noisy | None, n_clients: int
) -> SecureSums | None:
    """Return the secure sums of a run of `n_clients`; None if it has none."""
    if rule is None:
        return None
    if noisy is None:
        return SecureSums(rule=rule, largest=rule.largest)
    return SecureSums(rule=rule, largest=noisy.plan.clip_norm, n_summed=n_clients)


def within(clip_norm: float, step: float, width: int) -> float:
    """Return the norm that, rounded to a grid, stays within `clip_norm`.

    Raises:
        BadRecipe: Rounding may take more than half of it.
    """
    lost = step / 2 * width**0.5
    if lost > clip_norm / 2:
        raise BadRecipe(
            "Rounding {width} weights to secure sums may lengthen an update by {lost}, most of the clip norm.",
            where="secure.bits",
            mend="Use 64 bits.",
            width=width,
            lost=lost,
        )
    return clip_norm - lost
