"""The Shapley interaction index of two features (Grabisch and Roubens, 1999), and main effects that add up with it.

The index of a pair is the mean over sets T without the two, of what both add together beyond what each adds
alone, with weight |T|! (n - |T| - 2)! / (n - 1)!. The main effect of a feature is its Shapley value minus half
of its pairs: 2-SII (Bordt and von Luxburg, 2023), so that main effects and pairs add up to (score - base).
"""

from math import lgamma

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def pair_shares(n: int) -> Float[Tensor, " sizes"]:
    """Return the weight of a set T by its size, 0 to n - 2."""
    logs = [lgamma(t + 1) + lgamma(n - 1 - t) - lgamma(n) for t in range(n - 1)]
    return torch.tensor(logs, dtype=torch.float64).exp()


def pair_weights(keep: Bool[Tensor, "sets features"]) -> Float[Tensor, "features features sets"]:
    """Return what turns the scores of all sets into the index of each pair; 0 for a feature with itself."""
    n = keep.shape[1]
    if n < 2:
        return torch.zeros(n, n, len(keep), dtype=torch.float64)
    share, size, kept = pair_shares(n), keep.sum(1), keep.double().T
    both, none = kept[:, None] * kept, (1 - kept)[:, None] * (1 - kept)
    weights = both * share[(size - 2).clamp(min=0)] + none * share[size.clamp(max=n - 2)]
    weights -= (1 - both - none) * share[(size - 1).clamp(0, n - 2)]
    return weights * (1 - torch.eye(n, dtype=torch.float64))[:, :, None]


def with_main_effects(
    shapley: Float[Tensor, "rows features outputs"],
    pairs: Float[Tensor, "rows features features outputs"],
) -> Float[Tensor, "rows features features outputs"]:
    """Return the pairs with the main effects on the diagonal, which is taken to be 0 before."""
    main = shapley - pairs.sum(2) / 2
    return pairs + torch.diag_embed(main.transpose(1, 2), dim1=2, dim2=3).permute(0, 2, 3, 1)
