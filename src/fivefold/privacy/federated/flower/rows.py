"""A client's own rows, read as the model that arrives wants them; and rows written as such files, for trials."""

import csv
from math import isnan
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fivefold.core.data import Batch, as_tensor
from fivefold.core.errors import BadInput
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.data.array_file import read_arrays
from fivefold.data.columns import columns_of
from fivefold.data.parse import MISSING, Numbers, parse
from fivefold.data.raw import Raw
from fivefold.data.table_file import read_table
from fivefold.data.target import read_target

PICTURES = ".npz"


def rows_for(schema: Schema, task: Task, path: Path) -> Batch:
    """Return the rows in a table (CSV, TSV, JSONL, Parquet) or of images (`.npz`).

    Raises:
        BadInput: The file cannot be used, or does not fit the model.
    """
    if path.suffix.lower() == PICTURES:
        found = read_arrays(path, task.classes)
        _check_shape(found.x, schema, path)
        return Batch(found.x, found.y)
    raw = read_table(path)
    return Batch(columns_of(raw, schema), _targets(raw, task))


def write_rows(batch: Batch, schema: Schema, task: Task, stem: Path) -> Path:
    """Write rows as a file that `rows_for` reads, named by what they are."""
    if not schema.columns:
        path = stem.with_name(f"{stem.name}{PICTURES}")
        classes = np.array(task.classes)
        np.savez(path, x=as_tensor(batch.x).numpy(), y=classes[batch.y.numpy()])
        return path
    path = stem.with_name(f"{stem.name}.csv")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(c.name for c in schema.columns), task.target])
        for x, y in zip(as_tensor(batch.x).tolist(), batch.y.tolist(), strict=True):
            target = task.classes[y] if task.is_classification else repr(y)
            writer.writerow([*_shown(x, schema), target])
    return path


def _shown(row: list[float], schema: Schema) -> list[str]:
    pairs = zip(row, schema.columns, strict=True)
    return [
        "" if isnan(v) else (c.categories[int(v)] if c.categories else repr(v)) for v, c in pairs
    ]


def _targets(raw: Raw, task: Task) -> Tensor:
    if task.target not in raw.frame.columns:
        raise BadInput(
            "There is no column {name}.",
            where=raw.origin,
            mend="There are: {known}.",
            name=task.target,
            known=", ".join(raw.frame.columns[:20]),
        )
    if task.is_classification:
        return read_target(raw, task.target, "classification", task.classes, MISSING).y
    found = parse(raw, task.target, "number", MISSING)
    assert isinstance(found, Numbers)
    lacking = np.isnan(found.values)
    if lacking.any():
        raise BadInput(
            "The target is missing here.",
            where=raw.place(int(lacking.argmax()), task.target),
            mend="Fill it in, or leave the row out.",
        )
    return torch.from_numpy(found.values).float()


def _check_shape(x: Tensor, schema: Schema, path: Path) -> None:
    if tuple(x.shape[1:]) != tuple(schema.shape):
        raise BadInput(
            "The images have the shape {found}, and the model reads {wanted}.",
            where=str(path),
            mend="Bring the images to that size.",
            found=str(tuple(x.shape[1:])),
            wanted=str(tuple(schema.shape)),
        )
