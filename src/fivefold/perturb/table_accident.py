"""Accidents of tables: bad sensors, lost cells, coarse records, wrong units, wrong codes, mixed-up rows."""

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from fivefold.core.schema import Schema

Rows = Float[Tensor, "batch columns"]


def noise(x: Rows, schema: Schema, strength: float, rng: Generator) -> Rows:
    """Add Gaussian noise to each number; its standard deviation is `strength` times the scale."""
    away = strength * schema.space().unit * torch.randn(x.shape, generator=rng)
    return _legal(torch.where(_is_number(schema), x + away, x), x, schema)


def missing(x: Rows, schema: Schema, strength: float, rng: Generator) -> Rows:
    """Lose the share `strength` of the cells; a category that may not be missing is never lost."""
    space, columns = schema.space(), schema.columns
    is_optional = torch.tensor([c.is_optional for c in columns])
    center = torch.tensor([c.center for c in columns]).clamp(space.low, space.high)
    lost = torch.rand(x.shape, generator=rng) < strength
    lost &= is_optional | _is_number(schema)
    return torch.where(lost, torch.where(is_optional, torch.nan, center), x)


def rounding(x: Rows, schema: Schema, strength: float, rng: Generator) -> Rows:
    """Round each number to the nearest of a grid `strength` times the scale apart."""
    step = strength * schema.space().unit
    center = torch.tensor([c.center for c in schema.columns])
    coarse = center + ((x - center) / step).round() * step
    return _legal(torch.where(_is_number(schema), coarse, x), x, schema)


def shift(x: Rows, schema: Schema, strength: float, rng: Generator) -> Rows:
    """Move one number of each row by `strength` times its scale, up or down."""
    numbers = _is_number(schema).nonzero()[:, 0]
    which = numbers[torch.randint(len(numbers), (len(x),), generator=rng)]
    sign = torch.randint(2, (len(x),), generator=rng) * 2 - 1
    away = torch.zeros_like(x)
    away[torch.arange(len(x)), which] = strength * sign * schema.space().unit[which]
    return _legal(x + away, x, schema)


def wrong_category(x: Rows, schema: Schema, strength: float, rng: Generator) -> Rows:
    """Replace the share `strength` of the categories by another of the same column."""
    changed = x.clone()
    for i, column in enumerate(schema.columns):
        n = len(column.categories)
        if not column.is_category or n < 2:
            continue
        other = (x[:, i] + torch.randint(1, n, (len(x),), generator=rng)) % n  # NaN stays NaN
        hit = torch.rand(len(x), generator=rng) < strength
        changed[:, i] = torch.where(hit, other, x[:, i])
    return changed


def swap(x: Rows, schema: Schema, strength: float, rng: Generator) -> Rows:
    """Replace the share `strength` of the cells by the same column's value in a random other row."""
    if len(x) < 2:
        return x.clone()
    further = torch.randint(1, len(x), x.shape, generator=rng)
    other = x.gather(0, (torch.arange(len(x))[:, None] + further) % len(x))
    return torch.where(torch.rand(x.shape, generator=rng) < strength, other, x)


def _is_number(schema: Schema) -> Bool[Tensor, " columns"]:
    return torch.tensor([not c.is_category for c in schema.columns])


def _legal(changed: Rows, x: Rows, schema: Schema) -> Rows:
    """Return `changed` with whole numbers whole and ranges kept; a value outside may not go further."""
    space = schema.space()
    whole = torch.tensor([c.kind == "integer" for c in schema.columns])
    changed = torch.where(whole, changed.round(), changed)
    return changed.clamp(torch.minimum(space.low, x), torch.maximum(space.high, x))
