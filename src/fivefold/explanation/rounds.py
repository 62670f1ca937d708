"""Sets of features are added in rounds until a row is sure (Covert and Lee, 2021, arXiv 2012.01536)."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fivefold.core.model import Model
from fivefold.core.progress import track
from fivefold.explanation.attribution import Attribution, is_sure
from fivefold.explanation.game import Played, play
from fivefold.explanation.output import output_names, unit
from fivefold.explanation.question import Question

# Values and errors, `(rows, features, outputs)` each, from so many first pairs and their scores.
Solve: TypeAlias = Callable[[int, Played], tuple[Tensor, Tensor]]


class Plan(NamedTuple):
    """Which pairs of sets are played, in this order, and after how many of them it is asked who is sure.

    `draws` are the background rows that each pair uses; None if all.
    """

    keep: Bool[Tensor, "pairs features"]
    stops: list[int]
    tolerance: float
    draws: Int[Tensor, "pairs draws"] | None = None


class _Found(NamedTuple):
    """What was found of some rows."""

    values: Float[Tensor, "rows features outputs"]
    error: Float[Tensor, "rows features outputs"]
    base: Float[Tensor, "rows outputs"]
    score: Float[Tensor, "rows outputs"]


def stops(n_pairs: int, rounds: int) -> list[int]:
    """Return how many pairs have been played after each round, each time about twice as many."""
    wanted = {n_pairs >> left for left in range(rounds)}
    return sorted(wanted - {0}) or [0]


def in_rounds(
    model: Model, question: Question, plan: Plan, solve: Solve, method: str
) -> Attribution:
    """Return the attribution; a row that is sure after a round takes no part in the next.

    Nothing is asked twice. A row's answer does not depend on how the others fare, unless `solve` lets it.
    """
    rows, known, n_evaluations, start = torch.arange(len(question.x)), None, 0, 0
    ended: list[tuple[Tensor, _Found]] = []
    for stop in track(plan.stops, "sets of features"):
        if not len(rows):
            continue  # the bar fills up
        some = question._replace(x=question.x[rows])
        more = _pairs(model, some, plan, slice(start, stop), known)
        n_evaluations, start = n_evaluations + more.n_evaluations, stop
        known = more if known is None else _joined(known, more)
        found = _found(known, solve(stop, known))
        is_last = torch.tensor(stop == plan.stops[-1])
        ends = is_sure(found.values, found.error, plan.tolerance) | is_last
        ended.append((rows[ends], _Found(*(part[ends] for part in found))))
        rows, known = rows[~ends], _only(known, ~ends)
    order = torch.cat([which for which, _ in ended]).argsort()
    whole = _Found(*(torch.cat(parts)[order] for parts in zip(*(f for _, f in ended), strict=True)))
    return Attribution(
        values=whole.values,
        base=whole.base,
        score=whole.score,
        error=whole.error,
        is_converged=is_sure(whole.values, whole.error, plan.tolerance),
        groups=question.groups,
        outputs=output_names(model.task),
        method=method,
        unit=unit(model.task),
        n_evaluations=n_evaluations,
    )


def _pairs(
    model: Model, question: Question, plan: Plan, part: slice, known: Played | None
) -> Played:
    """Play each set and its complement: `some` is in the order pairs, then kept and hidden."""
    keep = plan.keep[part]
    both = torch.stack([keep, ~keep], 1).flatten(0, 1)
    draws = None if plan.draws is None else plan.draws[part].repeat_interleave(2, 0)
    return play(model, question, both, draws, known)


def _joined(one: Played, other: Played) -> Played:
    return other._replace(some=torch.cat([one.some, other.some], 1))


def _only(played: Played, rows: Bool[Tensor, " rows"]) -> Played:
    is_own = played.empty.ndim == 3
    return played._replace(
        full=played.full[rows],
        empty=played.empty[:, rows] if is_own else played.empty,
        some=played.some[rows],
    )


def _found(played: Played, solved: tuple[Tensor, Tensor]) -> _Found:
    return _Found(*solved, played.empty.mean(0).expand_as(played.full), played.full)
