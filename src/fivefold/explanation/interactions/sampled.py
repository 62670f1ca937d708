"""Shapley interactions of many features from few sets: Gaussian processes over both parts of the game."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from fivefold.core.data import Inputs
from fivefold.core.errors import NotMeasurable
from fivefold.core.limits import Count, Natural, Positive
from fivefold.core.model import Model
from fivefold.explanation.coalitions import leverage_pairs
from fivefold.explanation.game import Played, play
from fivefold.explanation.interactions import posterior as even_part
from fivefold.explanation.interactions.exact import listed
from fivefold.explanation.interactions.index import with_main_effects
from fivefold.explanation.interactions.kernel import EVEN
from fivefold.explanation.interactions.result import Interactions, is_sure
from fivefold.explanation.kernel_likelihood import Kernel
from fivefold.explanation.odd_kernel import posterior as odd_part
from fivefold.explanation.odd_kernel.kernel import ODD
from fivefold.explanation.output import output_names, unit
from fivefold.explanation.question import AS_IT_IS, asked
from fivefold.explanation.removal import Removal
from fivefold.perturb import Features

TOGETHER = 50  # steps by which a kernel for all rows and outputs is found
TUNED = 200  # sets by which a kernel is chosen
MOST = 2048  # pairs of sets whose matrix is made and factored
MANY = 128  # features: each set knows of n (n - 1) / 2 pairs
ROOM = 2**21  # entries of the matrices that exist at one time


@dataclass(frozen=True, kw_only=True)
class SampledInteractions:
    """Shapley interactions of order two (2-SII) of any model, with posterior standard errors.

    Sets are played in pairs, a set and what it leaves out. Half of their difference tells of the Shapley
    values, half of their sum of the interactions. A budget of all sets is exact.

    Attributes:
        budget: Most sets of features tried, the full and the empty one included.
        steps: Steps by which each row and output finds a kernel of its own; 0 takes one kernel for all,
            which is fast and less accurate.
        tolerance: A row is converged if the error of its pairs is at most this share of them, or a tenth
            of this share of all its values.
        features: What counts as one feature.
        removal: How a hidden feature is replaced.
    """

    budget: Count = 1024
    steps: Natural = 50
    tolerance: Positive = 0.2
    features: Features = Features()
    removal: Removal = AS_IT_IS

    def __call__(
        self, model: Model, x: Inputs, background: Inputs, *, rng: Generator
    ) -> Interactions:
        """Return the interactions and their standard errors.

        Raises:
            NotMeasurable: More features or sets than can be modelled.
        """
        question = asked(
            model, x, background, self.features, hides_words=True, removal=self.removal
        )
        n = question.groups.n
        keep = leverage_pairs(n, max(self.budget - 2, 0) // 2, rng).keep
        keep = keep[torch.randperm(len(keep), generator=rng)]
        is_all = len(keep) == 2 ** (n - 1) - 1
        _refuse_many(n, 0 if is_all else len(keep))
        played = play(model, question, torch.stack([keep, ~keep], 1).flatten(0, 1))
        solved = _of_all(keep, played) if is_all else _of_some(keep, played, self.steps)
        pairs = solved.values * (1 - torch.eye(n, dtype=torch.float64))[:, :, None]
        return Interactions(
            values=solved.values,
            base=played.empty.mean(0).expand_as(played.full),
            score=played.full,
            error=solved.error,
            is_converged=is_sure(pairs, solved.error, solved.values, self.tolerance),
            groups=question.groups,
            outputs=output_names(model.task),
            method="SampledInteractions",
            unit=unit(model.task),
            n_evaluations=played.n_evaluations,
        )


class _Solved(NamedTuple):
    values: Float[Tensor, "rows features features outputs"]
    error: Float[Tensor, "rows features features outputs"]


def _refuse_many(n: int, n_pairs: int) -> None:
    if n > MANY:
        raise NotMeasurable(
            "{n} features make too many pairs; the limit is {most} features.",
            mend="Let columns or pixels count together as one feature.",
            n=n,
            most=MANY,
        )
    if n_pairs > MOST:
        raise NotMeasurable(
            "A Gaussian process over {sets} sets of features is too much; the limit is {most}.",
            mend="Lower the budget.",
            sets=2 * n_pairs + 2,
            most=2 * MOST + 2,
        )


def _of_all(keep: Bool[Tensor, "pairs features"], played: Played) -> _Solved:
    """Return the exact interactions if every set was played."""
    n = keep.shape[1]
    ends = torch.tensor([True, False])[:, None].expand(-1, n)
    sets = torch.cat([torch.stack([keep, ~keep], 1).flatten(0, 1), ends])
    empty = played.empty.mean(0).expand_as(played.full)
    values = listed(sets, torch.cat([played.some, played.full[:, None], empty[:, None]], 1))
    return _Solved(values, torch.zeros_like(values))


def _of_some(keep: Bool[Tensor, "pairs features"], played: Played, steps: int) -> _Solved:
    n, empty = keep.shape[1], played.empty.mean(0).expand_as(played.full)
    total = played.full - empty
    shape = (len(total), total.shape[1])
    if len(keep) < 2:
        flat = torch.zeros(len(total), n, n, total.shape[1], dtype=torch.float64)
        values = with_main_effects((total / n)[:, None].expand(-1, n, -1), flat)
        return _Solved(values, torch.full_like(flat, torch.inf))
    signs = torch.cat([keep, torch.ones(1, n).bool()]).double() * 2 - 1
    ends = torch.stack([played.full, empty], 1)
    scores = torch.cat([played.some, ends], 1).transpose(1, 2).flatten(0, 1)  # (games, sets)
    kept, hidden = scores[:, 0::2], scores[:, 1::2]
    shapley, doubt = _shapley(signs, (kept - hidden) / 2, steps)
    shapley = shapley + (total.flatten() - shapley.sum(1))[:, None] / n
    pairs = _pairs(signs, (kept + hidden) / 2, steps)
    error = pairs.error + torch.diag_embed((doubt**2 + (pairs.together / 2) ** 2).sqrt())
    return _Solved(
        with_main_effects(
            shapley.unflatten(0, shape).transpose(1, 2),
            pairs.values.unflatten(0, shape).permute(0, 2, 3, 1),
        ),
        error.unflatten(0, shape).permute(0, 2, 3, 1),
    )


class _Scaled(NamedTuple):
    """Games in units of their own, so that all weigh alike; and those units."""

    games: Float[Tensor, "games sets"]
    size: Float[Tensor, " games"]


def _scaled(targets: Float[Tensor, "games sets"]) -> _Scaled:
    size = targets.square().mean(1).sqrt().clamp(min=1e-150)
    return _Scaled(targets / size[:, None], size)


def _shapley(signs: Tensor, targets: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Return the Shapley values of each game and their standard errors."""
    (games, size), tuned = _scaled(targets), _tuned(len(signs))

    def find(some: Tensor, answers: Tensor) -> Kernel:
        return ODD.learnt(some, answers, steps or TOGETHER)

    batches = [some[:, :, None] for some in _split(games)] if steps else [games.T[None]]
    values, error = [], []
    for some in batches:
        found = odd_part.posterior(find(signs[tuned], some[:, tuned]), signs, some)
        doubt = odd_part.optimism(find, signs[tuned], some[:, tuned])
        values.append(found.values.transpose(1, 2).flatten(0, 1))
        error.append((found.error * doubt.sqrt()[:, None]).transpose(1, 2).flatten(0, 1))
    return torch.cat(values) * size[:, None], torch.cat(error) * size[:, None]


def _pairs(signs: Tensor, targets: Tensor, steps: int) -> even_part.Pairs:
    """Return the pairs of each game and their standard errors."""
    away = targets - targets.mean(1, keepdim=True)
    (games, size), tuned = _scaled(away), _tuned(len(signs))
    if not steps:
        kernel = EVEN.pooled(signs[tuned], games[:, tuned])
        return _in_units(even_part.posterior(kernel, signs, games), size)
    parts: list[even_part.Pairs] = []
    for some in _split(games):
        kernel = EVEN.learnt(signs[tuned], some[:, tuned, None], steps)
        doubt = even_part.optimism(signs[tuned], some[:, tuned], steps).sqrt()
        values, error, together = even_part.posterior(kernel, signs, some)
        wide = doubt[:, None, None]
        parts.append(even_part.Pairs(values, error * wide, together * doubt[:, None]))
    joined = even_part.Pairs(*(torch.cat(part) for part in zip(*parts, strict=True)))
    return _in_units(joined, size)


def _split(games: Float[Tensor, "games sets"]) -> tuple[Tensor, ...]:
    return games.split(max(1, ROOM // games.shape[1] ** 2))


def _in_units(found: even_part.Pairs, size: Float[Tensor, " games"]) -> even_part.Pairs:
    values, error, together = found
    wide = size[:, None, None]
    return even_part.Pairs(values * wide, error * wide, together * size[:, None])


def _tuned(n_sets: int) -> Tensor:
    """Return the sets that choose the kernel: the first ones, and the full set, which is the last."""
    return torch.cat([torch.arange(min(n_sets - 1, TUNED)), torch.tensor([n_sets - 1])])
