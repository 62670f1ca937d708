"""Which rows each client reads in each step: fresh orders from a seed of its own (splitmix64, Steele et al., 2014).

The order of a client depends on its seed, the round and the epoch, and on nothing else: not on who trains
beside it, nor on how they are trained.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fivefold.privacy.federated.partition import Clients

LAST = 2**63 - 1
GOLDEN, FIRST, SECOND = -0x61C8864680B583EB, -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15
MOST_PADDING = 2  # the widest batch of a program over its narrowest


class Local(NamedTuple):
    """What every client does in a round: passes over its rows, in batches, by plain gradient descent."""

    lr: float
    batch_size: int
    epochs: int
    proximal: float = 0.0

    def steps(self, size: Int[Tensor, " client"]) -> Int[Tensor, " client"]:
        """Return how many steps a client of `size` rows takes in a round."""
        return self.epochs * -(-size // self.batch_size)


class Table(NamedTuple):
    """The batches of some clients. Those with most steps come first.

    `share` is 1 / examples of the client's own batch, and 0 for padding. `n_active` clients still train
    in a step, and their batches have at most `width` examples.
    """

    rows: Int[Tensor, "client step size"]
    share: Float[Tensor, "client step size"]
    n_active: list[int]
    width: list[int]


def programs(size: Int[Tensor, " client"], batch_size: int, most: int) -> Iterator[Tensor]:
    """Yield places of clients that are trained together: at most `most`, of similar sizes, large ones first."""
    order = size.argsort(descending=True, stable=True)
    width = size[order].clamp(max=batch_size)
    start = 0
    while start < len(order):
        end = min(start + most, len(order))
        narrow = (MOST_PADDING * width[start:end] < width[start]).nonzero()
        end = start + int(narrow[0]) if len(narrow) else end
        yield order[start:end]
        start = end


def table(
    clients: Clients, ids: Int[Tensor, " client"], seed: Tensor, round_: int, local: Local
) -> Table:
    """Return the batches of the clients `ids`, whose sizes must not increase."""
    size = clients.size[ids]
    longest = int(size[0])
    width = min(local.batch_size, longest)
    order = _orders(seed, size, round_, local.epochs)
    per_epoch = -(-size // local.batch_size)[:, None]
    step = torch.arange(local.epochs * int(per_epoch[0]))
    epoch = (step // per_epoch).clamp(max=local.epochs - 1)
    place = (step % per_epoch)[..., None] * local.batch_size + torch.arange(width)
    is_active = step < local.epochs * per_epoch
    is_real = (place < size[:, None, None]) & is_active[..., None]
    who = torch.arange(len(ids))[:, None, None]
    own = order[who, epoch[..., None], place.clamp(max=longest - 1)]
    own = torch.where(is_real, own, 0)
    count = is_real.sum(-1)
    return Table(
        clients.rows[clients.start[ids][:, None, None] + own],
        is_real / count.clamp(min=1)[..., None],
        is_active.sum(0).tolist(),
        count.amax(0).tolist(),
    )


def _orders(
    seed: Int[Tensor, " client"], size: Int[Tensor, " client"], round_: int, epochs: int
) -> Int[Tensor, "client epoch row"]:
    """Return a random order of each client's rows for each epoch; places beyond its rows come last."""
    place = torch.arange(int(size[0]))
    passes = torch.arange(round_ * epochs, (round_ + 1) * epochs)
    stream = _mixed(seed[:, None] + (passes + 1) * GOLDEN)
    key = _mixed(stream[..., None] + (place + 1) * GOLDEN)
    return key.masked_fill_(place >= size[:, None, None], LAST).argsort(dim=-1, stable=True)


def _mixed(x: Tensor) -> Tensor:
    x = (x ^ _shifted(x, 30)) * FIRST
    x = (x ^ _shifted(x, 27)) * SECOND
    return x ^ _shifted(x, 31)


def _shifted(x: Tensor, bits: int) -> Tensor:
    return (x >> bits) & ((1 << (64 - bits)) - 1)
