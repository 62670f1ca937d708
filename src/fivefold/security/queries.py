"""What a thief asks: inputs close to a few real ones, or anything the schema allows."""

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.errors import NotMeasurable
from fivefold.core.schema import Schema

SWAP = 0.25  # share of the values of a table that come from another real row
NOISE = 0.25  # standard deviation of what is added to a number, in units of the schema
PIXEL_NOISE = 0.1


def near(
    real: Float[Tensor, "rows ..."], schema: Schema, n: int, rng: Generator
) -> Float[Tensor, "n ..."]:
    """Return `n` inputs close to `real` ones: values mixed between rows, then noise on numbers.

    The first are the real rows themselves: a thief asks those first.
    """
    order = torch.randperm(len(real), generator=rng)
    rest = max(n - len(real), 0)
    x = real[torch.randint(len(real), (rest,), generator=rng)]
    space = schema.space()
    noise = torch.randn(x.shape, generator=rng) * space.unit
    if schema.is_table:
        donor = real[torch.randint(len(real), (rest,), generator=rng)]
        x = torch.where(torch.rand(x.shape, generator=rng) < SWAP, donor, x)
        is_number = torch.tensor([not c.is_category for c in schema.columns])
        x = x + NOISE * noise * is_number
    else:
        x = x + PIXEL_NOISE * noise
    return torch.cat([real[order[:n]], _sensible(x, schema)])


def uniform(schema: Schema, n: int, rng: Generator) -> Float[Tensor, "n ..."]:
    """Return `n` inputs drawn evenly from everything the schema allows.

    Raises:
        NotMeasurable: A number has no range.
    """
    unit = torch.rand((n, *schema.shape), generator=rng)
    if not schema.is_table:
        return unit
    low, high = torch.empty(len(schema.columns)), torch.empty(len(schema.columns))
    for i, column in enumerate(schema.columns):
        if column.is_category:
            low[i], high[i] = 0.0, len(column.categories)
        elif column.low is None or column.high is None:
            raise NotMeasurable(
                "Queries cannot be drawn evenly: column {column} has no range.",
                mend="Give it low and high in the schema, or set queries to near.",
                column=column.name,
            )
        else:
            low[i], high[i] = column.low, column.high
    is_category = torch.tensor([c.is_category for c in schema.columns])
    x = low + unit * (high - low)
    return _sensible(torch.where(is_category, x.floor(), x), schema)


def _sensible(x: Float[Tensor, "n ..."], schema: Schema) -> Float[Tensor, "n ..."]:
    """Return `x` inside the ranges, with whole numbers where they belong."""
    space = schema.space()
    whole = torch.tensor([c.kind == "integer" for c in schema.columns]) if schema.is_table else None
    x = x if whole is None else torch.where(whole, x.round(), x)
    return torch.maximum(torch.minimum(x, space.high), space.low)
