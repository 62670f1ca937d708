"""Confidence against correctness: binned error (Nguyen and O'Connor, 2015) and temperature (Guo et al., 2017)."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Generator, Tensor

BINS = 15
RANGE = (0.01, 100.0)  # of 1 / temperature
HALVINGS = 60
LEAST_LOGIT = -1e3


class Bin(NamedTuple):
    """Examples of about the same confidence."""

    confidence: float
    hits: int
    n: int


def confidence(
    logits: Float[Tensor, "batch classes"], y: Int64[Tensor, " batch"], temperature: float = 1.0
) -> tuple[Float[Tensor, " batch"], Bool[Tensor, " batch"]]:
    """Return the probability given to the top class, and whether that class is right."""
    top, answer = (logits.double() / temperature).softmax(1).max(1)
    return top, answer == y


def calibration_error(
    top: Float[Tensor, " batch"], is_right: Float[Tensor, " batch"], bins: int = BINS
) -> float:
    """Return the mean gap between confidence and accuracy over bins of equally many examples."""
    order = top.argsort()
    gap = (is_right.double() - top.double())[order]
    return sum(abs(float(part.sum())) for part in gap.tensor_split(bins)) / len(top)


def bins_of(
    top: Float[Tensor, " batch"], is_right: Bool[Tensor, " batch"], bins: int = BINS
) -> list[Bin]:
    """Return the bins from the least confident on; empty ones are left out."""
    order = top.argsort()
    pairs = zip(top[order].tensor_split(bins), is_right[order].tensor_split(bins), strict=True)
    return [Bin(float(t.mean()), int(r.sum()), len(t)) for t, r in pairs if len(t)]


def chance_errors(
    top: Float[Tensor, " batch"], rng: Generator, draws: int = 200
) -> Float[Tensor, " draws"]:
    """Return errors that a perfectly calibrated model with these confidences would show.

    Few examples per bin make a gap by chance alone, which is why a small error never reads as 0.
    """
    order = top.argsort()
    truth = top.double()[order]
    drawn = torch.rand(draws, len(top), generator=rng, dtype=torch.float64) < truth
    gap = drawn.double() - truth
    return torch.stack([p.sum(1).abs() for p in gap.tensor_split(BINS, dim=1)]).sum(0) / len(top)


def best_temperature(logits: Float[Tensor, "batch classes"], y: Int64[Tensor, " batch"]) -> float:
    """Return the temperature with the least negative log-likelihood, between 0.01 and 100.

    The likelihood is concave in 1 / temperature, so its slope is bisected.
    """
    z = logits.double()
    z = (z - z.amax(1, keepdim=True)).clamp_min(LEAST_LOGIT)
    true = z.gather(1, y[:, None])[:, 0].mean()
    low, high = RANGE
    for _ in range(HALVINGS):
        middle = (low * high) ** 0.5
        expected = ((middle * z).softmax(1) * z).sum(1).mean()
        low, high = (middle, high) if expected < true else (low, middle)
    return 1 / (low * high) ** 0.5
