"""How long a change is, and how ordinary its end: local outlier factors (Breunig et al., 2000)."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.schema import Schema

NEIGHBOURS, FEWEST, MOST = 10, 20, 512  # rows: to compare with, to judge by at all, to look at
ORDINARY = 0.95  # share of the background that counts as ordinary


class Ruler(NamedTuple):
    """A length for changes, and what the background looks like.

    `unit`, `center` and `sizes` are the schema's; `sizes` counts the categories, 0 for a number.
    `known` are background rows in a space where sums of absolute differences are lengths, and `spread`
    how far each is from its own neighbours. `limit` is the outlier factor of an ordinary row; NaN
    where there are too few rows to tell.
    """

    unit: Float[Tensor, " columns"]
    center: Float[Tensor, " columns"]
    sizes: tuple[int, ...]
    known: Float[Tensor, "background width"]
    spread: Float[Tensor, " background"]
    limit: float

    def place(self, x: Float[Tensor, "... columns"]) -> Float[Tensor, "... width"]:
        """Return rows in a space of lengths: units of a number, 1 for another category or for a gap that is filled."""
        parts: list[Tensor] = []
        for i, size in enumerate(self.sizes):
            value, gap = x[..., i], x[..., i].isnan()
            if size:
                parts.append((value[..., None] == torch.arange(size)).to(x.dtype) / 2)
            else:
                scaled = (value - self.center[i]) / self.unit[i]
                parts.append(torch.where(gap, 0, scaled)[..., None])
            parts.append(gap.to(x.dtype)[..., None] / (2 if size else 1))
        return torch.cat(parts, dim=-1)

    def distance(
        self, x: Float[Tensor, "rows columns"], other: Float[Tensor, "rows some columns"]
    ) -> Float[Tensor, "rows some"]:
        """Return the length of each change from `x`: units of the schema's scale, summed over columns."""
        return self.by_column(x, other).sum(-1)

    def by_column(
        self, x: Float[Tensor, "rows columns"], other: Float[Tensor, "rows some columns"]
    ) -> Float[Tensor, "rows some columns"]:
        """Return what each column adds to the length of a change."""
        old = x[:, None]
        gap = old.isnan() != other.isnan()
        center = self.center.expand_as(other)
        away = torch.where(other.isnan(), center, other) - torch.where(old.isnan(), center, old)
        number = away.abs() / self.unit + gap.to(x.dtype)
        other_name = ((other != old) & ~(other.isnan() & old.isnan())).to(x.dtype)
        return torch.where(torch.tensor(self.sizes) > 0, other_name, number)

    def outlier(self, x: Float[Tensor, "... columns"]) -> Float[Tensor, "..."]:
        """Return the local outlier factor: distance to the nearest background rows over their own to one another.

        About 1 for an ordinary row; NaN where there are too few background rows.
        """
        if self.limit != self.limit:
            return torch.full(x.shape[:-1], torch.nan)
        flat = self.place(x.reshape(-1, x.shape[-1]))
        near, who = _nearest(flat, self.known, NEIGHBOURS)
        return (near.mean(1) / self.spread[who].mean(1)).reshape(x.shape[:-1])


def ruler_of(
    schema: Schema, background: Float[Tensor, "background columns"], rng: Generator
) -> Ruler:
    """Return the ruler; of a large background it looks at rows drawn by `rng`."""
    kept = background[torch.randperm(len(background), generator=rng)[:MOST]]
    tiny = torch.finfo(torch.float32).tiny
    unit = torch.tensor([max(c.scale, tiny) for c in schema.columns])
    center = torch.tensor([c.center for c in schema.columns])
    sizes = tuple(max(len(c.categories), 1) if c.is_category else 0 for c in schema.columns)
    bare = Ruler(unit, center, sizes, kept[:0], unit[:0], torch.nan)
    known = bare.place(kept)
    if len(known) < FEWEST:
        return bare
    near, who = _nearest(known, known, NEIGHBOURS + 1)
    own = near[:, 1:].mean(1)
    spread = own.clamp(
        min=max(0.1 * float(own.median()), 1e-6)
    )  # rows that repeat have no distance
    factor = own / spread[who[:, 1:]].mean(1)
    return bare._replace(known=known, spread=spread, limit=float(factor.quantile(ORDINARY)))


def _nearest(x: Tensor, known: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the distances to the `k` nearest of `known`, ascending, and which those are."""
    found = [torch.cdist(part, known, p=1).topk(k, largest=False) for part in x.split(4096)] or [
        torch.cdist(x, known, p=1).topk(k, largest=False)
    ]
    return torch.cat([f.values for f in found]), torch.cat([f.indices for f in found])
