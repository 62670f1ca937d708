"""A model whose network we hold."""

from dataclasses import dataclass, replace
from typing import Self

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from fivefold.core.codec import encode
from fivefold.core.data import Batch, Dataset, Inputs, take, to_device
from fivefold.core.errors import NotMeasurable
from fivefold.core.fingerprint import of_batch
from fivefold.core.lineage import Claim, Lineage, Record
from fivefold.core.model import Architecture
from fivefold.core.schema import Schema
from fivefold.core.task import Task

CHUNK = 1024  # examples at a time, so that memory does not grow with the data


@dataclass(frozen=True)
class TorchModel:
    """A network with what it eats, what it answers, how it was built and what was done to it.

    `net` is a `Sequential` whose first child prepares the user's inputs and whose last is the head.
    """

    net: nn.Module
    task: Task
    schema: Schema
    architecture: Architecture
    lineage: Lineage = ()

    @torch.no_grad()
    def predict(self, x: Inputs) -> Float[Tensor, "batch outputs"]:
        """Return logits (classification) or numbers (regression) on the CPU."""
        return batched(self.net, x)

    @torch.no_grad()
    def embed(self, x: Inputs) -> Float[Tensor, "batch feature"]:
        """Return what the last layer reads.

        Raises:
            NotMeasurable: The network is not a `Sequential` that ends in a head.
        """
        return batched(self.trunk(), x)

    def trunk(self) -> nn.Module:
        """Return the network without its head; weights are shared, not copied.

        Raises:
            NotMeasurable: The network is not a `Sequential` that ends in a head.
        """
        if not isinstance(self.net, nn.Sequential) or len(self.net) < 2:
            raise NotMeasurable(
                "The last features of a {net} are not known.",
                mend="Build the network as a Sequential that ends in its head.",
                net=type(self.net).__name__,
            )
        return self.net[:-1]

    def with_net(self, net: nn.Module) -> Self:
        """Return the same model around another network.

        Its history is empty until whoever changed the network writes it: an unknown history claims
        nothing, an old one would claim too much.
        """
        return replace(self, net=net, lineage=())

    def with_lineage(self, lineage: Lineage) -> Self:
        """Return the same model with another history."""
        return replace(self, lineage=lineage)


def fresh(architecture: Architecture, data: Dataset, rng: Generator) -> TorchModel:
    """Return an untrained model for `data`.

    Its lineage starts with whether preparation looked at the training rows.
    """
    net = architecture.build(data.schema, data.task, rng)
    read = data.schema.is_observed
    seen = of_batch(data.splits.seen.train) if read else ""
    start = Record("start", encode(architecture), seen, Claim(reads_data=read))
    return TorchModel(net, data.task, data.schema, architecture, (start,))


def device_of(net: nn.Module) -> torch.device:
    """Return where the weights of `net` lie."""
    first = next(net.parameters(), None)
    return first.device if first is not None else torch.device("cpu")


def batched(net: nn.Module, x: Inputs) -> Float[Tensor, "batch outputs"]:
    """Return what `net` answers, asked for a part of the examples at a time."""
    device = device_of(net)
    n = Batch(x, next(iter(x.values())) if not isinstance(x, Tensor) else x).size
    rows = [slice(i, i + CHUNK) for i in range(0, n, CHUNK)] or [slice(0, 0)]
    return torch.cat([net(to_device(take(x, r), device)).cpu() for r in rows])
