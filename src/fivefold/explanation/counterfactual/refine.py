"""Make a change smaller without losing the answer: fewer columns first, then shorter steps."""

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.explanation.counterfactual.hunt import Hunt

COARSE = 1 - 0.5 ** torch.arange(5)  # how much of a change is kept
FINE = 1 - 0.5 ** torch.arange(5, 10)
MOST_COLUMNS = 6  # whose steps are shortened at once


def thin(hunt: Hunt, n: int) -> None:
    """Give values back, those that matter least first, as many as the answer bears (greedy sparsification)."""
    tried = hunt.pool.tried[:, :n]
    single = _given_back(hunt, tried, torch.eye(tried.shape[-1], dtype=torch.bool))
    _, excess = hunt.consider(single.flatten(1, 2))
    left = excess.unflatten(1, single.shape[1:3])  # (rows, members, columns)
    left = left.masked_fill(~hunt.rules.changed(tried), torch.inf).nan_to_num(
        nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf
    )
    place = left.argsort(dim=2, descending=True, stable=True).argsort(2)
    together = place[:, :, None] <= torch.arange(tried.shape[-1])[:, None]
    hunt.consider(_given_back(hunt, tried, together).flatten(1, 2))


def shorten(hunt: Hunt, n: int, kept: Float[Tensor, " shares"]) -> None:
    """Move one column, or all, of the best changes back towards the row: a line search of every column at once.

    Args:
        hunt: The search.
        n: Members to treat.
        kept: How much of the change to keep.
    """
    tried, x = hunt.pool.tried[:, :n], hunt.rules.x[:, None, None]
    part = hunt.ruler.by_column(hunt.rules.x, tried.flatten(0, 1).unflatten(0, tried.shape[:2]))
    k = min(MOST_COLUMNS, tried.shape[-1])
    longest = part.topk(k, dim=-1).indices  # (rows, members, k)
    is_moved = torch.zeros(*longest.shape, tried.shape[-1], dtype=torch.bool)
    is_moved.scatter_(3, longest[..., None], True)
    is_moved = torch.cat([is_moved, torch.ones_like(is_moved[:, :, :1])], dim=2)
    is_moved &= hunt.rules.changed(tried)[:, :, None]
    wide = tried[:, :, None]
    shorter = x[..., None, :] + kept[:, None] * (wide - x)[..., None, :]
    whole = torch.where(kept[:, None] > 0, wide[..., None, :], x[..., None, :])
    shorter = torch.where(hunt.rules.is_category, whole, shorter)  # half of a category is none
    moved = torch.where(is_moved[..., None, :], shorter, wide[..., None, :])
    hunt.consider(moved.flatten(1, 3))


def _given_back(
    hunt: Hunt, tried: Tensor, which: Tensor
) -> Float[Tensor, "rows members ways columns"]:
    return torch.where(which, hunt.rules.x[:, None, None], tried[:, :, None])
