"""Users in the place of examples: all examples of a user are clipped together (McMahan et al., 2018)."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Int64
from torch import Generator, Tensor

from fivefold.core.data import Batch, Draws, distinct
from fivefold.core.errors import BadInput
from fivefold.core.schema import Schema
from fivefold.privacy.plan import Plan

UNIT = "user"


class Users(NamedTuple):
    """Which rows belong to whom: those of user `i` are `rows[first[i] : first[i] + held[i]]`."""

    rows: Int64[Tensor, " row"]
    first: Int64[Tensor, " user"]
    held: Int64[Tensor, " user"]

    @property
    def n(self) -> int:
        """Number of users."""
        return len(self.held)

    def drawn(self, users: Tensor, size: int, rng: Generator) -> Int64[Tensor, "user example"]:
        """Return `size` random rows of each of `users`; who has fewer has them several times.

        A row comes at most once more often than another of the same user.
        """
        found = torch.empty(len(users), size, dtype=torch.int64)
        for i, user in enumerate(users.tolist()):
            count = int(self.held[user])
            order = distinct(min(size, count), count, rng).repeat(-(-size // count))[:size]
            found[i] = self.rows[self.first[user] + order]
        return found


def users_of(data: Batch, schema: Schema, name: str) -> Users:
    """Return the users of `data`.

    Args:
        data: The examples.
        schema: What its inputs are.
        name: A column of a table, or a tensor of a mapping of inputs, that is the same for all examples of a
            user and of nobody else.

    Raises:
        BadInput: There is none, or it does not tell users apart.
    """
    values = _values(data, schema, name)
    if values.is_floating_point():
        largest = int(2 / torch.finfo(values.dtype).eps)  # beyond it, whole numbers fall together
        is_whole = (values == values.round()) & (values.abs() < largest)  # not so for NaN
        if not bool(is_whole.all()):
            raise BadInput(
                "{column} does not say whose each example is: it has missing or broken numbers, or ones that are too large to be exact.",
                where=name,
                mend="Use a category, or whole numbers between -{largest} and {largest}, without gaps.",
                column=name,
                largest=largest - 1,
            )
    _, owner = values.unique(return_inverse=True)
    held = owner.bincount()
    return Users(owner.argsort(stable=True), held.cumsum(0) - held, held)


def user_batches(
    plan: Plan, data: Batch, users: Users, size: int, rng: Callable[[], Generator]
) -> Draws:
    """Return batches of a Poisson sample of users, `(user, example, ...)`, with `size` examples of each.

    Args:
        plan: What is sampled and paid for, with a user as the unit.
        data: The examples.
        users: Whose they are.
        size: Examples of each user.
        rng: Makes a secret source for each reading.
    """
    everybody = torch.arange(users.n)
    draws = plan.batches(Batch(everybody, everybody), rng)

    def rows(own: Generator) -> Iterator[Tensor]:
        choice = rng()
        for sample in draws.rows(own):
            yield users.drawn(sample, size, choice)

    return Draws(data, rows, len(draws), draws.seed)


def _values(data: Batch, schema: Schema, name: str) -> Tensor:
    if isinstance(data.x, Mapping):
        names = [k for k, v in data.x.items() if v.dim() == 1]
        if name in names:
            return data.x[name]
    else:
        names = list(schema.names()) if schema.is_table else []
        if name in names:
            return data.x[:, names.index(name)]
    raise BadInput(
        "There is no column {column} that could say whose each example is.",
        where="user",
        mend="Keep it among the inputs (allow_personal), or name one of these: {known}.",
        column=name,
        known=", ".join(names) or "-",
    )
