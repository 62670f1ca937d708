"""A few answers that differ: each next one as unlike those before as its price allows (greedy max-min)."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fivefold.explanation.counterfactual.hunt import DEAREST, Hunt
from fivefold.explanation.counterfactual.pool import Pool


def diverse(hunt: Hunt, n: int) -> Pool:
    """Return up to `n` changes of each row, the cheapest first; `is_met` is False where there is none."""
    pool = hunt.pool
    price = pool.price.masked_fill(~pool.is_met, torch.inf)
    cheapest = price.amin(1, keepdim=True)
    price = price.masked_fill(price > DEAREST * cheapest + 1e-9, torch.inf)
    unlike = torch.ones_like(price)
    chosen: list[Tensor] = []
    for turn in range(n):
        worth = unlike * (cheapest / price) if turn else -price
        worth = worth.masked_fill(price.isinf(), -torch.inf)
        taken = worth.argmax(1)
        chosen.append(torch.where(worth.amax(1).isinf(), -1, taken))
        share, is_more = _unlike(hunt, taken)
        unlike = torch.minimum(unlike, share)
        price = price.masked_fill(is_more, torch.inf)
    index = torch.stack(chosen, dim=1)
    picked = pool.at(index.clamp(min=0))
    return picked._replace(is_met=picked.is_met & (index >= 0))


def _unlike(
    hunt: Hunt, taken: Int[Tensor, " rows"]
) -> tuple[Float[Tensor, "rows members"], Bool[Tensor, "rows members"]]:
    """Return the share of columns that only one of two changes moves, and which members move all that `taken` moves.

    Who moves the same columns and more is no alternative.
    """
    changed = hunt.rules.changed(hunt.pool.tried)
    own = changed.gather(1, taken[:, None, None].expand(-1, 1, changed.shape[-1]))
    both, either = (changed & own).sum(-1), (changed | own).sum(-1)
    return 1 - both.double() / either.clamp(min=1), both == own.sum(-1)
