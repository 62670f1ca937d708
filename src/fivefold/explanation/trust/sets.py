"""Sets of features to hide, drawn anew for each row."""

import torch
from jaxtyping import Bool
from torch import Generator, Tensor


def sets_of_size(
    n_rows: int, n_sets: int, n: int, size: int, rng: Generator
) -> Bool[Tensor, "rows sets features"]:
    """Return sets of `size` of `n` features, each as likely as any other."""
    chosen = torch.rand(n_rows, n_sets, n, generator=rng).topk(size, dim=2).indices
    return torch.zeros(n_rows, n_sets, n, dtype=torch.bool).scatter_(2, chosen, value=True)


def sets_of_any_size(
    n_rows: int, n_sets: int, n: int, rng: Generator
) -> Bool[Tensor, "rows sets features"]:
    """Return sets of 1 to `n` features: each size as likely as any other, and each set of a size."""
    place = torch.rand(n_rows, n_sets, n, generator=rng).argsort(2)
    return place < torch.randint(1, n + 1, (n_rows, n_sets, 1), generator=rng)
