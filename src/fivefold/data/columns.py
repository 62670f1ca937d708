"""Columns of a table without targets, as a known schema has them."""

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.errors import BadInput
from fivefold.core.schema import Column, Schema
from fivefold.data.parse import MISSING, Numbers, parse
from fivefold.data.raw import Raw


def columns_of(raw: Raw, schema: Schema) -> Float[Tensor, "rows columns"]:
    """Return the columns of the schema in its order; a gap is NaN, a category its number.

    Raises:
        BadInput: A column is not there, or a value does not fit; with its place.
    """
    return torch.stack([_values(raw, column) for column in schema.columns], dim=1)


def _values(raw: Raw, column: Column) -> Float[Tensor, " rows"]:
    if column.name not in raw.frame.columns:
        raise BadInput(
            "There is no column {name}.",
            where=raw.origin,
            mend="There are: {known}.",
            name=column.name,
            known=", ".join(raw.frame.columns[:20]),
        )
    found = parse(raw, column.name, column.kind, MISSING)
    if isinstance(found, Numbers):
        return torch.from_numpy(found.values).float()
    place = {name: float(i) for i, name in enumerate(column.categories)}
    words = found.values.to_list()
    for row, word in enumerate(words):
        if word is not None and word not in place:
            raise BadInput(
                "{value} is not a category of {column}.",
                where=raw.place(row, column.name),
                mend="It may be: {known}.",
                value=word,
                column=column.name,
                known=", ".join(column.categories[:20]),
            )
    return torch.tensor([place.get(word, torch.nan) for word in words])
