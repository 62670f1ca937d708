"""Rows from memory, from an iterator or from a file, cut anew into blocks of one size."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from fivefold.core.data import Batch, Inputs
from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.core.schema import Schema
from fivefold.explanation.scale.file import read_blocks

Rows: TypeAlias = Inputs | Batch | Path | Iterable[Inputs | Batch]


def blocks_of(rows: Rows, schema: Schema, size: int) -> Iterator[Tensor]:
    """Yield blocks of `size` rows, the last one perhaps smaller, however the rows come.

    Args:
        rows: A tensor, a batch, an iterator of those, or the path of a CSV or Parquet file with the
            schema's columns.
        schema: What the model eats.
        size: Rows in a block.

    Raises:
        BadInput: The file cannot be read, or a value does not fit.
        NotMeasurable: Inputs of several tensors.
    """
    waiting: list[Tensor] = []
    for part in _parts(rows, schema, size):
        waiting.append(part)
        while sum(map(len, waiting)) >= size:
            whole = torch.cat(waiting) if len(waiting) > 1 else waiting[0]
            yield whole[:size]
            waiting = [whole[size:]]
    if rest := [part for part in waiting if len(part)]:
        yield torch.cat(rest)


def count_of(rows: Rows) -> int | None:
    """Return how many rows there are; None if nobody knows before reading them."""
    if isinstance(rows, Batch):
        return rows.size
    return len(rows) if isinstance(rows, Tensor) else None


def _parts(rows: Rows, schema: Schema, size: int) -> Iterator[Tensor]:
    if isinstance(rows, Path):
        yield from read_blocks(rows, schema, size)
    elif isinstance(rows, Tensor | Batch):
        for part in _tensor(rows, schema).split(size):
            yield part
    else:
        for part in rows:
            yield _tensor(part, schema)


def _tensor(given: object, schema: Schema) -> Tensor:
    x = given.x if isinstance(given, Batch) else given
    if not isinstance(x, Tensor):
        raise NotMeasurable(
            "Features of inputs that are several tensors cannot be hidden one by one.",
            mend="Use a model of tables or images.",
        )
    if tuple(x.shape[1:]) != schema.shape:
        raise BadInput(
            "Inputs of shape {found} were given, and the model eats rows of shape {wanted}.",
            where="rows",
            mend="Give at least one row, with the values in the order of the schema.",
            found=str(tuple(x.shape)),
            wanted=str(schema.shape),
        )
    return x
