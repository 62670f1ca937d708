"""A slow, plain twin of federated averaging, and small clients to run it on."""

from copy import deepcopy

import torch
from torch import nn

from fivefold.core.data import Batch
from fivefold.core.loss import loss_of
from fivefold.core.task import Task
from fivefold.privacy.federated.engine import choose
from fivefold.privacy.federated.layout import layout_of, read, write
from fivefold.privacy.federated.local import Site
from fivefold.privacy.federated.order import Local, table
from fivefold.privacy.federated.partition import clients_of
from seeding import seeded

TASK = Task(classes=("a", "b", "c"))


def mlp(kind=nn.ReLU, n_out=3, width=7):
    with torch.random.fork_rng():
        torch.random.set_rng_state(seeded(5).get_state())
        return nn.Sequential(nn.Linear(4, width), kind(), nn.Linear(width, n_out))


def ragged(sizes, n_classes=3, seed=0):
    """Return rows and their owners, in a mixed order."""
    own, n = seeded(seed), sum(sizes)
    owner = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    owner = owner[torch.randperm(n, generator=own)]
    y = torch.randint(n_classes, (n,), generator=own)
    return Batch(torch.randn(n, 4, generator=own), y), owner


def site_of(net, data, owner, local, kind, task=TASK, most=None):
    chosen = choose(kind, deepcopy(net), data, loss_of(task), task.is_classification)
    chosen = chosen._replace(most=most or chosen.most)
    clients = clients_of(owner)
    seed = torch.randint(2**62, (len(clients.size),), generator=seeded(9))
    return Site(data, clients, seed, local, chosen)


def updates(site, start, ids, round_=0, drift=None):
    found = torch.full((len(ids), len(start)), torch.nan)
    for places, moved in site.updates(start, ids, round_, drift):
        found[places] = moved
    return found


def twin(net, site, ids, round_=0, task=TASK, drift=None):
    """Train each client by torch's own SGD, on the batches that its table tells."""
    layout, found = layout_of(net), []
    for place, one in enumerate(ids):
        own, local = deepcopy(net), site.local
        start = read(own, layout)
        plan = table(site.clients, one[None], site.seed[one][None], round_, local)
        stepper = torch.optim.SGD(own.parameters(), lr=local.lr)
        for rows, share in zip(plan.rows[0], plan.share[0], strict=True):
            stepper.zero_grad()
            batch = site.data.take(rows[share > 0])
            loss_of(task)(own, batch).mean().backward()
            flat = torch.cat([p.grad.flatten() for p in own.parameters()])
            flat += local.proximal * (read(own, layout) - start)
            flat += 0 if drift is None else drift[place]
            for weight, (_, slope) in zip(
                own.parameters(), layout.views(flat[None]).items(), strict=True
            ):
                weight.grad = slope[0].clone()
            stepper.step()
        found.append(read(own, layout) - start)
    return torch.stack(found)


def local(lr=0.2, batch_size=4, epochs=2, proximal=0.0):
    return Local(lr, batch_size, epochs, proximal)


__all__ = [
    "TASK",
    "layout_of",
    "local",
    "mlp",
    "ragged",
    "read",
    "site_of",
    "twin",
    "updates",
    "write",
]
