"""Who holds which training rows: Dirichlet shares of each class (Hsu et al., 2019), a column, or equal parts."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int
from torch import Generator, Tensor

from fivefold.core.data import Batch, as_tensor
from fivefold.core.errors import BadInput, BadRecipe
from fivefold.core.limits import Count, Positive
from fivefold.core.randomness import fresh_seed
from fivefold.core.schema import Schema

N_LEVELS = 10  # groups into which the numbers of a regression are cut, to stand for classes


class Clients(NamedTuple):
    """Clients and their rows: client `i` holds `rows[start[i] : start[i] + size[i]]`."""

    rows: Int[Tensor, " row"]
    start: Int[Tensor, " client"]
    size: Int[Tensor, " client"]


@runtime_checkable
class Partition(Protocol):
    """A way to share out rows among clients."""

    def owner(
        self, data: Batch, schema: Schema, is_classification: bool, rng: Generator
    ) -> Int[Tensor, " row"]:
        """Return the number of the client that holds each row."""
        ...

    def told(self) -> str:
        """Return how clients came to be, for the record of a private run."""
        ...


@dataclass(frozen=True, kw_only=True)
class Equal:
    """Rows at random, as many to each client as to any other, or one more.

    Attributes:
        n_clients: Number of clients.
    """

    n_clients: Count = 10

    def owner(
        self, data: Batch, schema: Schema, is_classification: bool, rng: Generator
    ) -> Int[Tensor, " row"]:
        """Return the number of the client that holds each row."""
        return torch.randperm(data.size, generator=rng) % self.n_clients

    def told(self) -> str:
        """Return how clients came to be, for the record of a private run."""
        return "simulated"


@dataclass(frozen=True, kw_only=True)
class Dirichlet:
    """Each class is shared out by proportions drawn from a Dirichlet distribution.

    The numbers of a regression are cut at their deciles. Clients left without rows take no part.

    Attributes:
        n_clients: Number of clients.
        alpha: Near 0 each class belongs to one client; large, all clients are alike.
    """

    n_clients: Count = 10
    alpha: Positive = 0.5

    def owner(
        self, data: Batch, schema: Schema, is_classification: bool, rng: Generator
    ) -> Int[Tensor, " row"]:
        """Return the number of the client that holds each row."""
        label = data.y if is_classification else _levels(data.y)
        found = torch.zeros(data.size, dtype=torch.int64)
        for one in label.unique():
            rows = (label == one).nonzero()[:, 0]
            rows = rows[torch.randperm(len(rows), generator=rng)]
            ends = self._proportions(rng).cumsum(0) * len(rows)
            place = torch.arange(len(rows), dtype=torch.float64) + 0.5
            found[rows] = torch.searchsorted(ends[:-1].contiguous(), place)
        return found

    def _proportions(self, rng: Generator) -> Tensor:
        source = np.random.default_rng(
            fresh_seed(rng)
        )  # torch has no Dirichlet that takes a generator
        return torch.from_numpy(source.dirichlet([self.alpha] * self.n_clients))

    def told(self) -> str:
        """Return how clients came to be, for the record of a private run."""
        return "simulated"


@dataclass(frozen=True, kw_only=True)
class ByColumn:
    """Rows with the same value of a column belong to the same client: a hospital, a branch, a person.

    Attributes:
        column: Name of the column.
    """

    column: str

    def owner(
        self, data: Batch, schema: Schema, is_classification: bool, rng: Generator
    ) -> Int[Tensor, " row"]:
        """Return the number of the client that holds each row.

        Raises:
            BadRecipe: There is no such column.
            BadInput: It lacks values, so that some rows would belong to nobody.
        """
        names = [c.name for c in schema.columns]
        if self.column not in names:
            raise BadRecipe(
                "There is no column {column} that says which client a row belongs to.",
                where="clients",
                mend="The columns are: {known}.",
                column=self.column,
                known=", ".join(names),
            )
        value = as_tensor(data.x)[:, names.index(self.column)]
        if value.isnan().any():
            raise BadInput(
                "The column {column} lacks values, so some rows belong to no client.",
                where="clients",
                mend="Fill the values or drop the rows.",
                column=self.column,
            )
        return value.unique(return_inverse=True)[1]

    def told(self) -> str:
        """Return how clients came to be, for the record of a private run."""
        return f"column {self.column}"


def clients_of(owner: Int[Tensor, " row"]) -> Clients:
    """Return the clients that hold at least one row."""
    size = torch.bincount(owner)
    size = size[size > 0]
    return Clients(owner.argsort(stable=True), size.cumsum(0) - size, size)


def _levels(y: Tensor) -> Tensor:
    share = torch.linspace(0, 1, N_LEVELS + 1, dtype=torch.float64)[1:-1]
    return torch.searchsorted(y.double().quantile(share), y.double())
