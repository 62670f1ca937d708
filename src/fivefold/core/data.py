"""Examples, who may see them, and the ways to draw them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import torch
from torch import Generator, Tensor

from fivefold.core.randomness import fresh_seed
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.core.text import Text

Inputs: TypeAlias = Tensor | Mapping[str, Tensor]
BLOCK = 64  # sizes of random batches that are drawn at once


class Batch(NamedTuple):
    """Inputs and targets that travel together.

    `x` is a tensor `(batch, ...)` or a mapping of tensors that share the first axis. `y` is `(batch,)`:
    class indices (int64) for classification, numbers (float32) for regression.
    """

    x: Inputs
    y: Tensor

    @property
    def size(self) -> int:
        """Number of examples."""
        return len(self.y)

    def take(self, rows: Tensor | slice) -> "Batch":
        """Return the examples at `rows`, in that order."""
        return Batch(take(self.x, rows), self.y[rows])

    def to(self, device: torch.device) -> "Batch":
        """Return the same examples on `device`."""
        return Batch(to_device(self.x, device), self.y.to(device))


class Seen(NamedTuple):
    """What a step may look at. There is no test split in it."""

    train: Batch
    valid: Batch
    past: tuple[Batch, ...] = ()


class Splits(NamedTuple):
    """What a probe may look at: examples the model may have seen, and examples it has not."""

    seen: Seen
    test: Batch


class Dataset(NamedTuple):
    """Examples with what is known about them.

    `fingerprint` is a content hash of all splits; `notes` are findings of loading (dropped rows, leaks).
    """

    name: str
    splits: Splits
    schema: Schema
    task: Task
    fingerprint: str
    notes: tuple[Text, ...] = ()


def take(x: Inputs, rows: Tensor | slice) -> Inputs:
    """Return the examples of `x` at `rows`."""
    return x[rows] if isinstance(x, Tensor) else {k: v[rows] for k, v in x.items()}


def to_device(x: Inputs, device: torch.device) -> Inputs:
    """Return `x` on `device`."""
    return x.to(device) if isinstance(x, Tensor) else {k: v.to(device) for k, v in x.items()}


def as_tensor(x: Inputs) -> Tensor:
    """Return `x` as the one tensor it is.

    Raises:
        TypeError: `x` is a mapping of several tensors.
    """
    if isinstance(x, Tensor):
        return x
    raise TypeError(f"One tensor is needed here, and the inputs are a mapping of {sorted(x)}.")


@dataclass(frozen=True)
class Draws:
    """A repeatable sequence of batches.

    It owns a seed drawn when it was made, so that reading it twice gives the same batches, and reading
    it never disturbs another source of randomness. Resuming skips rows, not work.
    """

    data: Batch
    rows: Callable[[Generator], Iterator[Tensor]]
    n_batches: int
    seed: int

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[Batch]:
        return self.starting_at(0)

    def starting_at(self, index: int) -> Iterator[Batch]:
        """Yield the batches from the `index`-th on, without loading the ones before."""
        for i, rows in enumerate(self.rows(Generator().manual_seed(self.seed))):
            if i >= index:
                yield self.data.take(rows)


def shuffled(data: Batch, size: int, epochs: int, rng: Generator) -> Draws:
    """Return batches of `size` in which each example comes once per epoch, in a fresh order."""

    def rows(own: Generator) -> Iterator[Tensor]:
        for _ in range(epochs):
            yield from torch.randperm(data.size, generator=own).split(size)

    return Draws(data, rows, epochs * -(-data.size // size), fresh_seed(rng))


def poisson(data: Batch, rate: float, steps: int, rng: Generator) -> Draws:
    """Return batches in which each example appears independently with probability `rate`.

    A batch may be empty. Drawn as a binomial size and distinct rows, which has the same distribution
    as one coin per example at a cost that does not grow with the data.
    """

    def rows(own: Generator) -> Iterator[Tensor]:
        chance = torch.full((BLOCK,), rate, dtype=torch.float64)
        count = torch.full((BLOCK,), float(data.size), dtype=torch.float64)
        for start in range(0, steps, BLOCK):
            sizes = torch.binomial(count, chance, generator=own).long().tolist()
            for size in sizes[: steps - start]:
                yield distinct(size, data.size, own)

    return Draws(data, rows, steps, fresh_seed(rng))


def distinct(size: int, among: int, rng: Generator) -> Tensor:
    """Return `size` different numbers below `among`, every choice and order equally likely.

    Numbers are drawn until enough are different; the first of equal ones counts. Each has 63 random bits,
    because the remainder of 32 would favour small rows by one in 2^32 / `among`.
    """
    if 4 * size > among:
        return torch.empty(among, dtype=torch.int64).random_(generator=rng).argsort()[:size]
    drawn = torch.empty(size, dtype=torch.int64).random_(generator=rng).remainder_(among)
    while (first := _first_of_equals(drawn)) is not None:
        if len(first) >= size:
            return drawn[first[:size]]
        more = torch.empty(size - len(first), dtype=torch.int64).random_(generator=rng)
        drawn = torch.cat([drawn, more.remainder_(among)])
    return drawn


def _first_of_equals(x: Tensor) -> Tensor | None:
    """Return where each number of `x` comes first, in order; None if no two are equal."""
    values = x.sort().values
    if not (values[1:] == values[:-1]).any():
        return None
    values, places = x.sort(stable=True)
    is_same = values[1:] == values[:-1]
    is_first = torch.cat([is_same.new_ones(1), ~is_same])
    return places[is_first].sort().values
