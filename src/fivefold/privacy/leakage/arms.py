"""The same attack without and with explanations, and on explanations alone, learned from shadow models."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from fivefold.privacy.attacks.view import Scores
from fivefold.privacy.leakage.features import seen
from fivefold.privacy.leakage.learner import fitted
from fivefold.privacy.roc import auc_gain

SWAPS = 5


class Arms(NamedTuple):
    """Scores of the attacked model's rows, and the gain of an attack on explanations of other rows."""

    without: Scores
    told: Scores
    alone: Scores
    swapped: float


def compared(
    answer: Float[Tensor, "kind model row"],
    explanation: Float[Tensor, "feature model row"],
    inside: Bool[Tensor, "model row"],
    rng: Generator,
) -> Arms:
    """Attack the first model with what is learned from the others.

    Args:
        answer: Features of the answer that each model gives to each row.
        explanation: Features of the explanation that each model gives of each row.
        inside: Whether each model was trained on each row. Nothing is learned from the first model's: it
            only says whose the scores are.
        rng: Swaps explanations between rows.
    """
    answer, extra = seen(answer, inside), seen(explanation, inside)
    without = _attacked(answer, inside)
    swaps = [_attacked(torch.cat([answer, _swapped(extra, rng)]), inside) for _ in range(SWAPS)]
    return Arms(
        without=without,
        told=_attacked(torch.cat([answer, extra]), inside),
        alone=_attacked(extra, inside),
        swapped=sum(auc_gain(s, without).value for s in swaps) / SWAPS,
    )


def _attacked(
    feature: Float[Tensor, "feature model row"], inside: Bool[Tensor, "model row"]
) -> Scores:
    known = feature[:, 1:].flatten(1).T
    score = feature[:, 0].T @ fitted(known, inside[1:].flatten())
    return Scores(score[inside[0]], score[~inside[0]])


def _swapped(
    feature: Float[Tensor, "feature model row"], rng: Generator
) -> Float[Tensor, "feature model row"]:
    """Return the features of each model's rows in an order of its own."""
    n_models, n_rows = feature.shape[1:]
    order = torch.stack([torch.randperm(n_rows, generator=rng) for _ in range(n_models)])
    return feature.gather(2, order.expand_as(feature))
