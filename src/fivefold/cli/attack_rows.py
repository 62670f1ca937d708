"""Rows that fool a model, as they can occur: whole numbers are whole, and every row was asked about again."""

from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from fivefold.core.atomic import write_atomic
from fivefold.core.data import Batch, as_tensor
from fivefold.core.model import Model
from fivefold.core.schema import Schema
from fivefold.recipe.audit.rows import told


class Outcome(Protocol):
    """What an attack did."""

    @property
    def before(self) -> Batch:
        """The rows as they were."""
        ...

    @property
    def possible(self) -> Tensor:
        """The rows as they can be saved."""
        ...

    @property
    def is_possible(self) -> Tensor:
        """Where such a row fools the model."""
        ...

    @property
    def answers(self) -> tuple[Tensor, Tensor]:
        """Predicted classes: of the rows before, and as they can be saved."""
        ...


def as_can_be(schema: Schema, x: Tensor, after: Tensor) -> Tensor:
    """Return attacked rows with whole numbers where the schema has them.

    A fraction becomes the next whole number on its way back to the original, so that no row leaves the
    limit of the attack.
    """
    whole = torch.tensor([c.kind == "integer" for c in schema.columns], dtype=torch.bool)
    return torch.where(whole, x + (after - x).trunc(), after) if whole.any() else after


def save_rows(done: Outcome, model: Model, path: Path) -> None:
    """Write the rows that fool the model: a CSV file of a table, else an `.npz` file."""
    rows = done.is_possible.nonzero()[:, 0]
    classes, schema = model.task.classes, model.schema
    told_as = {
        model.task.target: [classes[i] for i in done.before.y[rows].tolist()],
        "before": [classes[i] for i in done.answers[0][rows].tolist()],
        "after": [classes[i] for i in done.answers[1][rows].tolist()],
    }
    if not schema.is_table:
        _save_arrays(path, done, rows, told_as)
        return
    import polars as pl

    values = {
        c.name: [told(c, v) if c.is_category else v for v in done.possible[rows, i].tolist()]
        for i, c in enumerate(schema.columns)
    }
    frame = pl.DataFrame(
        values | {f"{k} answer" if k in ("before", "after") else k: v for k, v in told_as.items()}
    )
    write_atomic(path, frame.fill_nan(None).write_csv())


def _save_arrays(path: Path, done: Outcome, rows: Tensor, told_as: dict[str, list[str]]) -> None:
    from io import BytesIO

    import numpy as np

    target, before, after = told_as.values()
    file = BytesIO()
    np.savez_compressed(
        file,
        x=done.possible[rows].numpy(),
        y=np.array(target),
        original=as_tensor(done.before.x)[rows].numpy(),
        before=np.array(before),
        after=np.array(after),
    )
    write_atomic(path, file.getvalue())
