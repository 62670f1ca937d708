"""Federated learning (McMahan et al., 2017) in one process: clients hold the rows, the server sees updates."""

from copy import deepcopy
from dataclasses import dataclass
from math import inf
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Le, Lt
from jaxtyping import Int
from torch import Generator, Tensor, nn

from fivefold.core.data import Batch, Seen
from fivefold.core.errors import BadInput
from fivefold.core.limits import Count, NonNegative, Positive
from fivefold.core.lineage import Claim
from fivefold.core.loss import loss_of
from fivefold.core.model import HasNet, Model, with_net
from fivefold.core.step import Step
from fivefold.privacy.accounting import bound
from fivefold.privacy.federated.aggregate import Aggregate, Krum, Mean, Median, TrimmedMean
from fivefold.privacy.federated.cohorts import Cohorts, Sampling
from fivefold.privacy.federated.engine import Kind, choose
from fivefold.privacy.federated.layout import layout_of, read, write
from fivefold.privacy.federated.local import Site, prepared
from fivefold.privacy.federated.order import Local
from fivefold.privacy.federated.partition import (
    ByColumn,
    Clients,
    Dirichlet,
    Equal,
    Partition,
    clients_of,
)
from fivefold.privacy.federated.private import ClientPrivacy, Noisy, slack_of
from fivefold.privacy.federated.rounds import Rounds, Sites, controls_of
from fivefold.privacy.federated.secure import secure_sums
from fivefold.privacy.federated.server import FedAdam, FedYogi, Plain, Server
from fivefold.privacy.federated.suited import check_still, check_suited, drawing_nothing
from fivefold.privacy.ledger import Ledger, begin
from fivefold.privacy.plan import Plan
from fivefold.privacy.secure_aggregation import SecureAggregation
from fivefold.training.gradient import not_finite

__all__ = [
    "ByColumn",
    "ClientPrivacy",
    "Dirichlet",
    "Equal",
    "FedAdam",
    "FedYogi",
    "Federated",
    "Krum",
    "Mean",
    "Median",
    "Plain",
    "SecureAggregation",
    "TrimmedMean",
]


@dataclass(frozen=True, kw_only=True)
class Federated(Step):
    """Training on rows that stay with their clients: they send how far their weights moved, not their rows.

    Here all clients live in this process, so this shows what such training reaches, and hides nothing from
    the machine it runs on. Without `private` the result may reveal its training rows like that of any plain
    training.

    Attributes:
        clients: Who holds which training rows.
        rounds: Number of rounds.
        rate: Share of the clients that are asked in a round.
        sampling: "poisson" asks each client with probability `rate`; "fixed" asks always as many.
        dropout: Probability that a client that was asked does not answer.
        lr: Learning rate of the clients' gradient descent.
        batch_size: Rows in a client's batch; "all" for all of its rows.
        epochs: A client's passes over its rows in a round.
        proximal: Strength with which clients are pulled back to the server (FedProx); 0 is FedAvg.
        control_variates: Whether the clients' drift is corrected (SCAFFOLD).
        aggregate: What the server makes of updates.
        server: How the server moves.
        private: What hides that one client took part; None for nothing.
        secure: What hides the update of each client from the server, which learns sums alone; None for
            nothing. Rounds in which too few clients stay change nothing.
        engine: How clients are trained: "products" by batched matrix products, "stacked" by one
            differentiation of all, "serial" one by one; "auto" by the size and kind of the network. All
            give the same weights up to rounding.
    """

    clients: Partition = Dirichlet()
    rounds: Count = 20
    rate: Annotated[float, Gt(0), Le(1)] = 0.5
    sampling: Sampling = "poisson"
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    lr: Positive = 0.1
    batch_size: Count | Literal["all"] = 16
    epochs: Count = 1
    proximal: NonNegative = 0.0
    control_variates: bool = False
    aggregate: Mean | Aggregate = Mean()
    server: Server = Plain()
    private: ClientPrivacy | None = None
    secure: SecureAggregation | None = None
    engine: Kind = "auto"

    def __post_init__(self) -> None:
        is_mean = isinstance(self.aggregate, Mean)
        if self.control_variates and not is_mean:
            raise ValueError(
                "Control variates are themselves means of what clients send, so a robust aggregate would not protect them; use Mean."
            )
        if self.secure is not None and not is_mean:
            raise ValueError(
                "A median, a trimmed mean and Krum compare single updates, which secure aggregation hides; use Mean."
            )
        if self.secure is not None and self.control_variates:
            raise ValueError(
                "Control variates are a second thing that the server must learn of each client, which secure aggregation hides; leave them out."
            )
        if self.private is None:
            return
        if self.sampling != "poisson":
            raise ValueError(
                'A privacy claim is accounted for Poisson samples of clients; use sampling = "poisson".'
            )
        if not isinstance(self.aggregate, Mean) or self.aggregate.weighting == "examples":
            raise ValueError(
                "A privacy claim holds for the mean in which all clients weigh alike: one client can move a median, Krum or a mean by examples further than is accounted."
            )
        if self.control_variates:
            raise ValueError(
                "Control variates are a second thing that clients send, which no noise hides; leave them out of a private run."
            )

    def __call__(self, model: Model, seen: Seen, *, rng: Generator) -> Model:
        """Return the trained model.

        Raises:
            BadInput: There are no rows, a layer cannot be trained by clients apart, or weights are no
                longer finite.
            BadRecipe: The partition, the engine or the privacy claim does not fit the data.
            LimitReached: The ledger has too little left.
        """
        model = with_net(model, self)
        check_suited(model.net)
        if not seen.train.size:
            raise BadInput(
                "There are no training examples.", mend="Add rows to the training split."
            )
        begin(self.ledger, self.claim(seen.train.size), seen.train)
        net = deepcopy(model.net)
        owner = self.clients.owner(seen.train, model.schema, model.task.is_classification, rng)
        noisy, draws = self.sources(seen.train.size, rng)
        device = next(net.parameters()).device
        body, data = prepared(net, seen.train.to(device))
        layout, own = layout_of(body), deepcopy(body).train()
        clients = clients_of(owner)
        site = self.site(model, own, data, clients, seeds_of(len(clients.size), draws))
        with drawing_nothing(net):
            weights = self.serve(site, noisy, read(body, layout), draws)
        check_still(body, own)
        if not bool(weights.isfinite().all()):
            raise not_finite()
        write(body, layout, weights)
        return model.with_net(net.eval())

    @property
    def ledger(self) -> Ledger | None:
        """Where private runs on this data are counted, if they are."""
        return None if self.private is None else self.private.ledger

    def claim(self, n_examples: int) -> Claim:
        """Return the mechanism through which the training split is read; nothing without `private`."""
        if self.private is None:
            return Claim()
        plan, is_secure = self._plan(self.private, n_examples), self.secure is not None
        record = self.private.record(plan, self.clients.told(), is_secure=is_secure)
        return Claim(privacy=record)

    def epsilon(self, n_examples: int) -> float:
        """Return an upper bound on epsilon for adding or removing one client; infinite without `private`."""
        if self.private is None or self.private.insecure_seed is not None:
            return inf
        plan, is_secure = self._plan(self.private, n_examples), self.secure is not None
        left = plan.delta - slack_of(plan.delta) if is_secure else plan.delta
        return bound([plan.part], left).epsilon

    def sources(self, n_examples: int, rng: Generator) -> tuple[Noisy | None, Generator]:
        """Return what makes the mean private, and the source of samples and orders."""
        if self.private is None:
            return None, rng
        noise, draws = self.private.sources()
        return Noisy(plan=self._plan(self.private, n_examples), noise=noise), draws

    def _plan(self, private: ClientPrivacy, n_examples: int) -> Plan:
        is_secure = self.secure is not None
        return private.plan(self.rate, self.rounds, n_examples, is_secure=is_secure)

    def site(
        self, model: HasNet, own: nn.Module, data: Batch, clients: Clients, seed: Tensor
    ) -> Site:
        """Return the clients with their rows; `own` is a network that training may spoil."""
        task = model.task
        chosen = choose(self.engine, own, data, loss_of(task), task.is_classification)
        return Site(data, clients, seed, self.local(int(clients.size.max())), chosen)

    def local(self, most_rows: int) -> Local:
        """Return what a client does in a round, if none has more than `most_rows`."""
        size = most_rows if self.batch_size == "all" else self.batch_size
        return Local(self.lr, size, self.epochs, self.proximal)

    def serve(self, site: Sites, noisy: Noisy | None, weights: Tensor, draws: Generator) -> Tensor:
        """Return the weights after all rounds, wherever the clients are."""
        controls = None
        if self.control_variates:
            controls = controls_of(weights, len(site.clients.size))
        return Rounds(
            site=site,
            cohorts=Cohorts(rate=self.rate, sampling=self.sampling, dropout=self.dropout),
            aggregate=self.aggregate,
            server=self.server,
            noisy=noisy,
            controls=controls,
            secure=secure_sums(self.secure, noisy, len(site.clients.size)),
        ).run(weights, self.rounds, draws)


def seeds_of(n_clients: int, draws: Generator) -> Int[Tensor, " client"]:
    """Return the seed of each client's orders."""
    return torch.randint(2**62, (n_clients,), generator=draws)
