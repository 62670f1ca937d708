"""Shapley values by regression on pairs of sets drawn by leverage score (Musco and Witter, 2025, arXiv 2410.01917)."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from fivefold.core.data import Inputs
from fivefold.core.limits import Count, Natural, Positive
from fivefold.core.model import Model
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.coalitions import Pairs, leverage_pairs, nested_pairs
from fivefold.explanation.game import Played, even_draws, luck
from fivefold.explanation.question import AS_IT_IS, asked
from fivefold.explanation.removal import Removal
from fivefold.explanation.rounds import Plan, in_rounds
from fivefold.perturb import Features

ALONE = 1e-6  # what is left of 1 at a set that alone decides a coefficient


@dataclass(frozen=True, kw_only=True)
class LeverageSHAP:
    """Shapley values of any model, with standard errors; exact if the budget covers every set.

    The same sets serve every example and output, so that one small matrix is factored once. Values add
    up to (score - base) exactly.

    Attributes:
        budget: Sets of features tried, the full and the empty one included.
        draws: Background rows per set; 0 takes all of them, which is needed to be exact. With fewer,
            each pair of sets is corrected for the rows it happened to get.
        rounds: The budget is spent in at most so many rounds, each doubling the sets played; a row that
            has converged plays no more.
        tolerance: A row is converged if the error is at most this share of its attributions.
        features: What counts as one feature.
        removal: How a hidden feature is replaced.
    """

    budget: Count = 1024
    draws: Natural = 0
    rounds: Count = 1
    tolerance: Positive = 0.1
    features: Features = Features()
    removal: Removal = AS_IT_IS

    def evaluations(self, n: int, rows: int, background: int) -> int:
        """Return at most how many inputs the model will answer; rows that converge early ask for fewer."""
        each = min(self.draws or background, background)
        return rows * (1 + self.budget * each) + background

    def __call__(
        self, model: Model, x: Inputs, background: Inputs, *, rng: Generator
    ) -> Attribution:
        """Return the values and their standard errors."""
        question = asked(
            model, x, background, self.features, hides_words=True, removal=self.removal
        )
        n, n_pairs = question.groups.n, max(self.budget - 2, 0) // 2
        nested = nested_pairs(leverage_pairs(n, n_pairs, rng), self.rounds)
        keep = nested[-1].keep
        draws = even_draws(len(keep), len(question.background), self.draws, rng)
        by_count = {len(pairs.keep): pairs for pairs in nested}

        def solve(count: int, played: Played) -> tuple[Tensor, Tensor]:
            drawn = None if draws is None else draws[:count]
            pairs = by_count[count]
            return _solve(pairs, played, drawn, _plan(pairs, luck(question, drawn)))

        plan = Plan(keep, list(by_count), self.tolerance, draws)
        return in_rounds(model, question, plan, solve, "LeverageSHAP")


class _Plan(NamedTuple):
    """What depends on the sets alone: `coefficients = solver @ targets` for any example and output.

    The first coefficients are half the Shapley values; others, if any, absorb the luck of the draws.
    """

    design: Float[Tensor, "pairs coefficients"]
    solver: Float[Tensor, "coefficients pairs"]
    leverage: Float[Tensor, " pairs"]


def _plan(pairs: Pairs, deviation: Float[Tensor, "pairs features"] | None) -> _Plan:
    """Minimise sum W (target - design coefficients)^2 with values that add up to 0; the shortest of several.

    Args:
        pairs: Sets and weights.
        deviation: How far the background rows of each pair are from all of them, if they were drawn.
    """
    signs = pairs.keep.double() * 2 - 1
    design = signs - signs.mean(1, keepdim=True)
    if deviation is not None:
        design = torch.cat([design, design * deviation], 1)
    weighted = design.T * pairs.weight
    solver = torch.linalg.pinv(weighted @ design, rtol=1e-10, hermitian=True) @ weighted
    return _Plan(design, solver, (design * solver.T).sum(1))


def _solve(
    pairs: Pairs, played: Played, draws: Int[Tensor, "pairs draws"] | None, plan: _Plan
) -> tuple[Float[Tensor, "rows features outputs"], Float[Tensor, "rows features outputs"]]:
    n = pairs.keep.shape[1]
    kept, hidden = played.some[:, 0::2], played.some[:, 1::2]
    total = played.full - played.empty.mean(0)
    # what the values of each pair's own rows add up to
    change = total[:, None] if draws is None else played.full[:, None] - played.empty[draws].mean(1)
    slope = (pairs.keep.double() * 2 - 1).mean(1) / 2
    target = (kept - hidden) / 2 - slope[:, None] * change
    coefficients = plan.solver @ target
    residual = target - plan.design @ coefficients
    halves = coefficients[:, :n]
    values = 2 * (halves - halves.mean(1, keepdim=True)) + total[:, None] / n
    return values, _error(pairs, plan, residual, is_all=draws is None)


def _error(
    pairs: Pairs, plan: _Plan, residual: Float[Tensor, "rows pairs outputs"], *, is_all: bool
) -> Float[Tensor, "rows features outputs"]:
    """Return the sandwich standard error, each residual inflated by its leverage (MacKinnon and White, 1985).

    A size of which every set was tried adds nothing, unless its background rows were drawn. Infinite
    where the sets do not leave a residual to judge by: too few of them, or a value that hangs on one.
    """
    n = pairs.keep.shape[1]
    chance = 1 - pairs.chance if is_all else torch.ones_like(pairs.chance)
    left = (1 - plan.leverage).clamp(min=ALONE)
    halves = plan.solver[:n] - plan.solver[:n].mean(0)
    spread = halves**2 @ (residual**2 * (chance / left**2)[:, None])
    is_short = float(plan.leverage.sum()) < n - 1.5
    is_alone = (left <= ALONE) & (chance > 0)  # its residual is 0 whatever the answer was
    is_blind = (len(pairs.keep) < plan.design.shape[1] and bool(chance.any())) or bool(
        is_alone.any()
    )
    return torch.full_like(spread, torch.inf) if is_short or is_blind else 2 * spread.sqrt()
