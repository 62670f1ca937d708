"""What stands for "not known" when a served model explains itself: the bundle holds no row of the data."""

from typing import NamedTuple

import torch
from torch import Tensor

from fivefold.core.schema import Column, Schema
from fivefold.core.text import Text, text


class Background(NamedTuple):
    """Rows that stand for "not known", and what they are."""

    rows: Tensor
    about: Text


def background_of(schema: Schema) -> Background:
    """Return the centre of each column, a black picture, or an empty text."""
    if schema.is_text:
        return Background(torch.zeros((1, *schema.shape)), text("an empty text"))
    if not schema.is_table:
        return Background(torch.zeros((1, *schema.shape)), text("a black picture"))
    rows = torch.tensor([[_middle(column) for column in schema.columns]])
    return Background(rows, text("the centre of each column, the first of its categories"))


def _middle(column: Column) -> float:
    if column.is_category:
        return 0.0
    low, high = column.low, column.high
    middle = column.center
    if low is not None:
        middle = max(middle, low)
    return middle if high is None else min(middle, high)
