"""A small federation for the tests of Flower: three clients with files of their own, and its twin in one process."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from fivefold.core.data import Batch, Dataset, Seen, Splits
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.models import MLP, TorchModel, fresh
from fivefold.privacy.federated import Federated, seeds_of
from fivefold.privacy.federated.flower import Deployment, Terms, write_deployment
from fivefold.privacy.federated.flower.rows import write_rows
from fivefold.privacy.federated.layout import layout_of, read
from fivefold.privacy.federated.local import Answers, Site, prepared
from fivefold.privacy.federated.order import Local
from fivefold.privacy.federated.partition import Clients, clients_of

NAMES, SIZES = ("north", "south", "west"), (10, 30, 21)
SEED = 5


class Federation(NamedTuple):
    """All rows, whose each is, the model to begin with, and the file of each client."""

    data: Dataset
    owner: Tensor
    model: TorchModel
    rows: dict[str, str]


def federation(folder: Path) -> Federation:
    """Return a federation and write the files of its clients."""
    rng = Generator().manual_seed(0)
    x = torch.randn(sum(SIZES), 4, generator=rng)
    batch = Batch(x, (x[:, 0] + x[:, 1] > 0).long())
    columns = tuple(
        Column(name=f"c{i}", low=-4.0, high=4.0, center=0.0, scale=1.0) for i in range(4)
    )
    schema, task = Schema(columns=columns, shape=(4,)), Task(classes=("no", "yes"), target="ill")
    data = Dataset("ill", Splits(Seen(batch, batch), batch), schema, task, "ill")
    owner = torch.repeat_interleave(torch.arange(len(SIZES)), torch.tensor(SIZES))
    (folder / "clients").mkdir(parents=True)
    rows = {
        name: str(write_rows(batch.take(owner == i), schema, task, folder / "clients" / name))
        for i, name in enumerate(NAMES)
    }
    return Federation(data, owner, fresh(MLP(hidden=(8,)), data, rng), rows)


def deployment(step: Federated, **terms: float) -> Deployment:
    """Return a deployment of `step` to the three clients."""
    return Deployment(step=step, terms=Terms(clients=NAMES, seed=SEED, **terms))  # type: ignore[arg-type]


def written(made: Federation, given: Deployment, folder: Path) -> None:
    """Write the folder of a deployment."""
    write_deployment(given, made.model, folder, rows=made.rows)


def weights(model: TorchModel) -> Tensor:
    """Return the weights in one row."""
    return read(model.net, layout_of(model.net))


@dataclass(frozen=True, kw_only=True)
class Some:
    """Clients in this process, of whom some keep silent in some rounds."""

    site: Site
    answering: Callable[[int, Tensor], Tensor]

    @property
    def clients(self) -> Clients:
        return self.site.clients

    @property
    def local(self) -> Local:
        return self.site.local

    def answers(self, server: Tensor, ids: Tensor, round_: int, drift: Tensor | None) -> Answers:
        kept = self.answering(round_, ids)
        return self.site.answers(server, ids[kept], round_, None if drift is None else drift[kept])


def twin(
    made: Federation, step: Federated, answering: Callable[[int, Tensor], Tensor] | None = None
) -> Tensor:
    """Return the weights after the same rounds in one process; `answering` says who of those asked answers."""
    step = replace(step, dropout=0.0)
    clients = clients_of(made.owner)
    noisy, draws = step.sources(len(NAMES), Generator().manual_seed(SEED))
    body, data = prepared(made.model.net, made.data.splits.seen.train)
    site = step.site(made.model, body, data, clients, seeds_of(len(clients.size), draws))
    some = Some(site=site, answering=answering or (lambda _, ids: torch.ones_like(ids).bool()))
    return step.serve(some, noisy, weights(made.model), draws)
