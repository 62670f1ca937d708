"""What stands for "not known" when a served model explains itself: the bundle holds no row of the data."""

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.schema import Column, Schema


def background_of(schema: Schema) -> Float[Tensor, "row ..."]:
    """Return the centre of each column, or a black picture."""
    if not schema.is_table:
        return torch.zeros((1, *schema.shape))
    return torch.tensor([[_middle(column) for column in schema.columns]])


def _middle(column: Column) -> float:
    if column.is_category:
        return 0.0
    low, high = column.low, column.high
    middle = column.center
    if low is not None:
        middle = max(middle, low)
    return middle if high is None else min(middle, high)
