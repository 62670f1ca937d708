"""Shapley values at leaves that ask about too many features for a table: each pair of sets that occurs."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fivefold.explanation.trees.leaf_tables import bits, shares

PAIRS = 2**20  # pairs of sets that exist at one time


def deep_values(
    failed: Int[Tensor, " rows"], by_background: Int[Tensor, " background"], n: int
) -> Float[Tensor, "features rows"]:
    """Return the values of one leaf that holds 1 and asks about `n` features.

    Args:
        failed: The set of features that each row fails there, as bits.
        by_background: The set that each background row fails.
        n: How many features it asks about.
    """
    mine, back = torch.unique(failed, return_inverse=True)
    theirs, counts = torch.unique(by_background, return_counts=True)
    size = max(1, PAIRS // len(theirs))
    found = [_pairs(part, theirs, counts.double(), n) for part in mine.split(size)]
    return (torch.cat(found) / len(by_background))[back].T


def _pairs(mine: Tensor, theirs: Tensor, counts: Tensor, n: int) -> Float[Tensor, "sets features"]:
    earns, loses = shares(n)
    known, hidden = bits(theirs, n), bits(mine, n)
    place = (hidden.sum(1)[:, None], known.sum(1))
    weight = ((mine[:, None] & theirs) == 0) * counts
    gained = (weight * earns[place]) @ known.double()
    lost = (weight * loses[place]).sum(1)
    return gained - lost[:, None] * hidden
