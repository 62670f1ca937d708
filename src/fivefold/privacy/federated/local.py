"""What clients do in a round: some epochs of gradient descent on their own rows (McMahan et al., 2017).

FedProx (Li et al., 2020) pulls them back to the server; SCAFFOLD (Karimireddy et al., 2020) corrects their drift.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from fivefold.core.data import Batch, take
from fivefold.models.prepare import PrepareImage, PrepareTable
from fivefold.privacy.federated.engine import Chosen
from fivefold.privacy.federated.move import Move
from fivefold.privacy.federated.order import Local, Table, programs, table
from fivefold.privacy.federated.partition import Clients

FIXED = (PrepareTable, PrepareImage, nn.Flatten, nn.Identity)  # the same row gives the same, always


class Part(NamedTuple):
    """Clients that were trained together: their places in the cohort, and how far each moved."""

    places: Int[Tensor, " client"]
    updates: Float[Tensor, "client weight"]


class Answers(NamedTuple):
    """Who answered in a round, in order, and how far they moved; the places of parts are among `ids`."""

    ids: Int[Tensor, " client"]
    parts: Iterable[Part]


@dataclass(frozen=True)
class Site:
    """All clients with their rows, and how they train.

    Attributes:
        data: All rows, as the trained part of the network eats them.
        clients: Who holds which.
        seed: Seed of each client's orders.
        local: What a client does in a round.
        chosen: How clients are trained.
    """

    data: Batch
    clients: Clients
    seed: Int[Tensor, " client"]
    local: Local
    chosen: Chosen

    def answers(
        self, server: Tensor, ids: Int[Tensor, " client"], round_: int, drift: Tensor | None = None
    ) -> Answers:
        """Return what all of the clients `ids` send: none that is asked here keeps silent."""
        return Answers(ids, self.updates(server, ids, round_, drift))

    def updates(
        self,
        server: Float[Tensor, " weight"],
        ids: Int[Tensor, " client"],
        round_: int,
        drift: Float[Tensor, "client weight"] | None = None,
    ) -> Iterator[Part]:
        """Train the clients `ids` from the weights of the server.

        Args:
            server: Where all of them begin.
            ids: Who takes part.
            round_: Number of the round.
            drift: What is added to each client's gradients (SCAFFOLD); None for nothing.
        """
        for places in programs(self.clients.size[ids], self.local.batch_size, self.chosen.most):
            who = ids[places]
            plan = table(self.clients, who, self.seed[who], round_, self.local)
            own_drift = None if drift is None else drift[places]
            yield Part(places, self._train(server, plan, own_drift))

    def _train(self, server: Tensor, plan: Table, drift: Tensor | None) -> Tensor:
        """Return how far each client of a program moves. Who has no steps left is out of the matrix."""
        weights = server.repeat(len(plan.rows), 1)
        share = plan.share.to(weights)
        for t, (n, width) in enumerate(zip(plan.n_active, plan.width, strict=True)):
            rows, active = plan.rows[:n, t, :width].to(weights.device), weights[:n]
            pull = None if drift is None else drift[:n]
            if self.local.proximal:
                back = (active - server).mul_(self.local.proximal)
                pull = back if pull is None else back.add_(pull)
            batch = Move(
                take(self.data.x, rows),
                self.data.y[rows],
                share[:n, t, :width],
                self.local.lr,
                pull,
            )
            self.chosen.engine.move(active, batch)
        return weights.sub_(server)


@torch.no_grad()
def prepared(net: nn.Module, data: Batch) -> tuple[nn.Module, Batch]:
    """Return what is trained of `net`, and what it eats: layers in front that never change are done once."""
    if type(net) is not nn.Sequential or not isinstance(data.x, Tensor) or not data.size:
        return net, data
    layers, x = list(net.children()), data.x
    while len(layers) > 1 and _is_fixed(layers[0]):
        x = layers.pop(0)(x)
    return nn.Sequential(*layers), Batch(x, data.y)


def _is_fixed(layer: nn.Module) -> bool:
    if type(layer) is nn.Sequential:
        return all(_is_fixed(m) for m in layer.children())
    return type(layer) in FIXED
