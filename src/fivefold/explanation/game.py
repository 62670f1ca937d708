"""The game that features play: what the model says on average when only some of them are known."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from fivefold.core.errors import NotMeasurable
from fivefold.core.model import Model
from fivefold.explanation.output import score_of
from fivefold.explanation.question import Question
from fivefold.perturb import Behind, Score, mean_score

ROOM = 4  # sets per feature from which on luck can be told apart from the features


class Played(NamedTuple):
    """Scores of the game: all features known, none known (for each background row), and some known.

    The mean of `empty` over its first axis is the score that values start from: of every row, or of each
    row its own.
    """

    full: Float[Tensor, "rows outputs"]
    empty: Float[Tensor, "background *rows outputs"]
    some: Float[Tensor, "rows sets outputs"]
    n_evaluations: int


def play(
    model: Model,
    question: Question,
    keep: Bool[Tensor, "sets features"],
    draws: Int[Tensor, "sets draws"] | None = None,
    known: Played | None = None,
) -> Played:
    """Return the scores of every example for the same sets of known features.

    What was `known` of the same examples, all features there or none, is not asked again.

    Raises:
        NotMeasurable: The model's answer is not a finite number, or rows that weigh differently were drawn.
    """
    score, x, behind = score_of(model), question.x, question.behind
    _refuse_weighted_draws(behind, draws)
    if known is None:
        full, empty = score(x), _nothing_known(score, x, behind)
    else:
        full, empty = known.full, known.empty
    if len(keep):
        shared = keep.expand(len(x), -1, -1)
        some = mean_score(score, x, behind, shared, question.groups, draws=draws)
    else:
        some = full[:, None][:, :0]
    each = len(behind.rows) if draws is None else draws.shape[1]
    alone = len(x) if behind.is_own else len(behind.rows)
    ends = 0 if known else len(x) + alone
    played = Played(full, empty, some, len(x) * len(keep) * each + ends)
    if not all(part.isfinite().all() for part in played[:3]):
        raise NotMeasurable(
            "The model's answer to some masked inputs is not a finite number.",
            mend="Check the model's outputs on ordinary inputs first.",
        )
    return played


def _nothing_known(
    score: Score, x: Float[Tensor, "rows ..."], behind: Behind
) -> Float[Tensor, "background *rows outputs"]:
    """Return the scores of what stands behind, so that their mean is where values start from."""
    if behind.is_own:
        return score(behind.empty(x)[:, 0])[None]
    scores = score(behind.rows)
    if behind.weight is None:
        return scores
    return (behind.weight[:, None] * scores).sum(0, keepdim=True)


def _refuse_weighted_draws(behind: Behind, draws: Int[Tensor, "sets draws"] | None) -> None:
    is_weighted = behind.weight is not None or behind.is_weighing
    if draws is not None and is_weighted:
        raise NotMeasurable(
            "Background rows that weigh differently cannot be drawn one by one.",
            mend="Set `draws` to 0, so that each set of features meets all of them.",
        )


def even_draws(
    n_sets: int, n_background: int, draws: int, rng: Generator
) -> Int[Tensor, "sets draws"] | None:
    """Return which background rows each set uses, each row as often as any other; None if all."""
    if draws == 0 or draws >= n_background:
        return None
    rounds = -(-n_sets * draws // n_background)
    orders = [torch.randperm(n_background, generator=rng) for _ in range(rounds)]
    order = torch.cat(orders) if orders else torch.zeros(0, dtype=torch.int64)
    return order[: n_sets * draws].reshape(n_sets, draws)


def luck(
    question: Question, draws: Int[Tensor, "sets draws"] | None
) -> Float[Tensor, "sets features"] | None:
    """Return how far the background rows of each set are from all of them, in standard deviations.

    What a hidden feature adds to a score is mostly linear in its value, so a regression that is told
    of this luck needs few rows per set. None if there is no luck, or too few sets to tell it apart.
    """
    groups = question.groups
    if draws is None or len(draws) < ROOM * groups.n:
        return None
    rows = question.background.flatten(1).double()
    away = rows - rows.nanmean(0)
    spread = away.nan_to_num().square().mean(0).sqrt().clamp(min=1e-12)
    each = (away / spread).nan_to_num()
    by_feature = torch.zeros(len(rows), groups.n, dtype=torch.float64)
    return by_feature.index_add_(1, groups.member, each)[draws].mean(1)
