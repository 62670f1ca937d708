"""The network that both sides of `lime.py` ask: log-odds of each class, from raw columns."""

import torch
from torch import Tensor


def prepared(held: dict[str, Tensor], x: Tensor) -> Tensor:
    """Return numbers in standard deviations, and a column of zeros and ones for each category."""
    sizes = held["categories"]  # 0 for a number
    numbers = ((x - held["mean"]) / held["scale"])[:, sizes == 0]
    chosen = [(x[:, i, None] == torch.arange(n)).float() for i, n in enumerate(sizes.tolist()) if n]
    return torch.cat([numbers, *chosen], 1)


def logits(held: dict[str, Tensor], x: Tensor) -> Tensor:
    hidden = torch.relu(prepared(held, x) @ held["inner"] + held["inner bias"])
    hidden = torch.relu(hidden @ held["middle"] + held["middle bias"])
    return hidden @ held["outer"] + held["outer bias"]


def log_odds(held: dict[str, Tensor], x: Tensor, at: int) -> Tensor:
    """Return the log-odds of one class, exact where its probability is 1 in floating point."""
    told = logits(held, x).double()
    others = torch.cat([told[:, :at], told[:, at + 1 :]], 1)
    return told[:, at] - others.logsumexp(1)
