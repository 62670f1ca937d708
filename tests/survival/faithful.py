"""Whether data that were taken are the data that were written: read back value by value, without the product's parsers."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from fivefold.core.codepoints import decode_texts
from fivefold.core.data import Dataset
from fivefold.core.schema import Column
from fivefold.data.parse import MISSING

SPACES = "".join(  # Unicode's; Python takes four separators of files for spaces as well
    chr(i) for i in range(0x3001) if chr(i).isspace() and chr(i) not in "\x1c\x1d\x1e\x1f"
)
Columns = Mapping[str, Sequence[Any]]


def is_faithful(data: Dataset, written: Columns, target: str) -> bool:
    """Whether all rows of all splits are the rows that were written, whatever their order."""
    return Counter(_read(data)) == Counter(_told(data, written, target))


def _whole(data: Dataset) -> tuple[torch.Tensor, torch.Tensor]:
    seen, test = data.splits
    parts = [b for b in (seen.train, seen.valid, test) if b.size]
    return torch.cat([b.x for b in parts]), torch.cat([b.y for b in parts])  # type: ignore[arg-type]


def _read(data: Dataset) -> list[tuple[object, ...]]:
    """Return what the data set says, with names in the place of their numbers."""
    x, y = _whole(data)
    columns: list[list[object]] = []
    if data.schema.is_text:
        columns.append(list(decode_texts(x)))
    for i, column in enumerate(data.schema.columns):
        named = column.categories
        columns.append([None if math.isnan(v) else named[int(v)] if named else v for v in x[:, i].tolist()])  # fmt: skip
    classes = data.task.classes
    columns.append([classes[int(v)] if classes else v for v in y.tolist()])
    return list(zip(*columns, strict=True))


def _told(data: Dataset, written: Columns, target: str) -> list[tuple[object, ...]]:
    """Return what was written, as a reader with a pencil would read it."""
    if data.schema.is_text:
        inputs = [list(written["text"])]
    else:
        inputs = [_column(data, c, written[c.name]) for c in data.schema.columns]
    found = [_value(v, bool(data.task.classes)) for v in written[target]]
    return list(zip(*inputs, found, strict=True))


def _column(data: Dataset, column: Column, written: Sequence[Any]) -> list[object]:
    """Return a column; a name that no training row has counts as missing, which a note says."""
    told = [_value(v, bool(column.categories)) for v in written]
    is_said = any("never occur in training" in str(note) for note in data.notes)
    if not (column.categories and is_said):
        return told
    return [v if v in column.categories else None for v in told]


def _value(value: Any, is_name: bool) -> object:
    """Return one value as a name or as a 32-bit float; None if it is missing."""
    told = "" if value is None else str(value).strip(SPACES)
    if told in MISSING:
        return None
    if is_name:
        return str(int(value)) if isinstance(value, float) and value.is_integer() else told
    number = float(np.float32(float(told)))
    return None if math.isnan(number) else number
