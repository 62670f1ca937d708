"""Changes worth trying: towards rows with the wanted answer, one column at a time, at random, and bred."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from fivefold.explanation.counterfactual.hunt import Hunt

NEIGHBOURS = 12
SWEEP = torch.tensor([0.02, 0.2, 0.4, 0.6, 0.8, 0.98], dtype=torch.float64)  # quantiles
MOST_CATEGORIES = 32
SHORTEST, LONGEST = 0.3, 10.0  # radii of random changes, in units


def neighbours(
    hunt: Hunt,
    background: Float[Tensor, "background columns"],
    answers: Float[Tensor, "background outputs"],
) -> Float[Tensor, "rows some columns"]:
    """Return the nearest background rows with the wanted answer, as the rules allow (nearest unlike neighbours)."""
    x = hunt.rules.x
    excess = hunt.goal.excess(answers.expand(len(x), -1, -1))
    far = torch.cdist(hunt.ruler.place(x), hunt.ruler.place(background), p=1)
    far = far.masked_fill(~hunt.goal.is_met(excess), torch.inf)
    near = far.topk(min(NEIGHBOURS, len(background)), largest=False)
    return torch.where(near.values.isinf()[..., None], x[:, None], background[near.indices])


def ladder(
    hunt: Hunt, background: Float[Tensor, "background columns"]
) -> Float[Tensor, "columns values"]:
    """Return values to try in each column: quantiles of a number, every category; NaN beyond the last."""
    most = max(len(SWEEP), min(max(hunt.ruler.sizes), MOST_CATEGORIES))
    found = torch.full((background.shape[1], most), torch.nan)
    for i, size in enumerate(hunt.ruler.sizes):
        seen = background[:, i][~background[:, i].isnan()]
        if size:
            count = min(size, most)
            found[i, :count] = torch.linspace(0, size - 1, count).round()
        elif len(seen):
            found[i, : len(SWEEP)] = seen.double().quantile(SWEEP).to(found.dtype)
    return found


def sweep(
    hunt: Hunt, values: Float[Tensor, "columns values"], columns: Int[Tensor, " some"]
) -> Float[Tensor, "rows some columns"]:
    """Return the rows with one column changed, for each of `columns` and each value."""
    which = columns.repeat_interleave(values.shape[1])
    tried = hunt.rules.x[:, None].repeat(1, len(which), 1)
    tried[:, torch.arange(len(which)), which] = values[columns].flatten()
    return tried


def scattered(
    hunt: Hunt, background: Float[Tensor, "background columns"], n: int, rng: Generator
) -> Float[Tensor, "rows some columns"]:
    """Return random changes of a few columns: to values of background rows, or by growing lengths."""
    x, unit = hunt.rules.x[:, None], hunt.ruler.unit
    columns = x.shape[-1]
    radius = SHORTEST * (LONGEST / SHORTEST) ** torch.linspace(0, 1, n)[:, None]
    away = torch.randn(n, columns, generator=rng) * radius * unit
    others = background[
        torch.randint(len(background), (n, columns), generator=rng), torch.arange(columns)
    ]
    is_other = (torch.rand(n, 1, generator=rng) < 0.5) | hunt.rules.is_category
    moved = torch.where(is_other, others, x + away)
    return torch.where(_some(columns, n, rng), moved, x)


def bred(
    hunt: Hunt, background: Float[Tensor, "background columns"], n: int, rng: Generator
) -> Float[Tensor, "rows some columns"]:
    """Return children of the best changes: mixed column by column, some values given back, stretched or drawn anew."""
    pool, x = hunt.pool.tried, hunt.rules.x[:, None]
    columns, size = x.shape[-1], pool.shape[1]
    rank = (torch.rand(2, n, generator=rng) ** 2 * size).long()  # the better, the likelier
    takes = torch.rand(n, columns, generator=rng) < 0.5
    child = torch.where(takes, pool[:, rank[0]], pool[:, rank[1]])
    gives_back = torch.rand(n, columns, generator=rng) < torch.rand(n, 1, generator=rng) * 0.6
    child = torch.where(gives_back, x, child)
    stretch = 0.25 + 1.5 * torch.rand(n, columns, generator=rng)
    is_stretched = (torch.rand(n, 1, generator=rng) < 0.5) & ~hunt.rules.is_category
    child = torch.where(is_stretched, x + stretch * (child - x), child)
    fresh = background[
        torch.randint(len(background), (n, columns), generator=rng), torch.arange(columns)
    ]
    is_fresh = _some(columns, n, rng) & (torch.rand(n, 1, generator=rng) < 0.5)
    return torch.where(is_fresh, fresh, child)


def traded(hunt: Hunt, n: int, rng: Generator) -> Float[Tensor, "rows some columns"]:
    """Return the best changes with a part of one column's step given to another: never longer than before."""
    pool, x, unit = hunt.pool.tried, hunt.rules.x[:, None], hunt.ruler.unit
    rank = (torch.rand(n, generator=rng) ** 2 * pool.shape[1]).long()
    member = pool[:, rank]
    luck, other = torch.rand(2, n, x.shape[-1], generator=rng)
    is_number = hunt.rules.is_free[:, None] & ~hunt.rules.is_category & ~x.isnan()
    changed = hunt.rules.changed(member) & is_number
    giver = (luck + changed.float()).argmax(-1, keepdim=True)
    taker = (other + changed.float() * 0.7 + is_number.float()).scatter(-1, giver, -1.0)
    taker = taker.argmax(-1, keepdim=True)
    share, worth = torch.rand(2, n, 1, generator=rng)
    step = member - x
    given = share * step.gather(-1, giver)
    length = (given / unit[giver]).abs() * worth * unit[taker]
    random_sign = torch.where(torch.rand(n, 1, generator=rng) < 0.5, -1.0, 1.0)
    sign = step.gather(-1, taker).sign()
    sign = torch.where(sign == 0, random_sign, sign)
    moved = member.scatter(-1, giver, member.gather(-1, giver) - given)
    return moved.scatter(-1, taker, moved.gather(-1, taker) + sign * length)


def _some(columns: int, n: int, rng: Generator) -> Bool[Tensor, "some columns"]:
    """Return few columns each: one half of the time, two a quarter of it, and so on."""
    count = 1 - torch.rand(n, 1, generator=rng).clamp(min=1e-6).log2()
    return torch.rand(n, columns, generator=rng).argsort(1).argsort(1) < count.floor()
