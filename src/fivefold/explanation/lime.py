"""A local linear model of the answer (Ribeiro, Singh and Guestrin, 2016, LIME), solved for all rows at once."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from fivefold.core.data import Inputs
from fivefold.core.limits import Count, Natural, NonNegative, Positive, Share
from fivefold.core.model import Model
from fivefold.explanation.attribution import Attribution, is_sure
from fivefold.explanation.game import even_draws, luck, play
from fivefold.explanation.output import output_names, unit
from fivefold.explanation.question import asked
from fivefold.perturb import Features


@dataclass(frozen=True, kw_only=True)
class LIME:
    """Weighted ridge regression of the score on which features are known.

    The sets of known features, and so the weights and the factored matrix, are shared by every example
    and output. Weight of a set: exp(-share of hidden features / width^2).

    Attributes:
        budget: Sets of features tried.
        width: Width of the neighbourhood.
        penalty: Ridge penalty of the coefficients, relative to the total weight.
        draws: Background rows per set; 0 takes all of them.
        tolerance: A row is converged if the error is at most this share of its coefficients, ...
        least_fit: ... and the local model explains at least this share of the score's variance.
        features: What counts as one feature.
    """

    budget: Count = 1024
    width: Positive = 0.75
    penalty: NonNegative = 1e-6
    draws: Natural = 0
    tolerance: Positive = 0.1
    least_fit: Share = 0.5
    features: Features = Features()

    def __call__(
        self, model: Model, x: Inputs, background: Inputs, *, rng: Generator
    ) -> Attribution:
        """Return the coefficients, their standard errors and the R2 of each local model."""
        question = asked(model, x, background, self.features, hides_words=True)
        n = question.groups.n
        keep = torch.rand(self.budget, n, generator=rng) < 0.5
        keep[0] = True  # the example itself
        draws = even_draws(len(keep), len(question.background), self.draws, rng)
        played = play(model, question, keep, draws)
        line = _fitted(_plan(self, keep, luck(question, draws)), played.some)
        return Attribution(
            values=line.values,
            base=line.base,
            score=played.full,
            error=line.error,
            is_converged=is_sure(line.values, line.error, self.tolerance)
            & (line.fit >= self.least_fit).all(-1),
            groups=question.groups,
            outputs=output_names(model.task),
            method="LIME",
            unit=unit(model.task),
            n_evaluations=played.n_evaluations,
            fit=line.fit,
        )


class _Plan(NamedTuple):
    """What depends on the sets alone: `coefficients = solver @ scores`.

    First the intercept, then the features, then what absorbs the luck of the draws, if there is any.
    """

    design: Float[Tensor, "sets coefficients"]
    weight: Float[Tensor, " sets"]
    solver: Float[Tensor, "coefficients sets"]
    n: int


class _Line(NamedTuple):
    values: Float[Tensor, "rows features outputs"]
    base: Float[Tensor, "rows outputs"]
    error: Float[Tensor, "rows features outputs"]
    fit: Float[Tensor, "rows outputs"]


def _plan(
    lime: LIME,
    keep: Bool[Tensor, "sets features"],
    deviation: Float[Tensor, "sets features"] | None,
) -> _Plan:
    hidden = (~keep).double()
    weight = torch.exp(-hidden.mean(1) / lime.width**2)
    parts = [torch.ones(len(keep), 1), keep] + ([] if deviation is None else [hidden * deviation])
    design = torch.cat(parts, 1).double()
    weighted = design.T * weight
    ridge = lime.penalty * weight.sum() * torch.eye(design.shape[1], dtype=torch.float64)
    ridge[0, 0] = 0.0  # the intercept is free
    solver = torch.linalg.pinv(weighted @ design + ridge, rtol=1e-12, hermitian=True) @ weighted
    return _Plan(design, weight, solver, keep.shape[1])


def _fitted(plan: _Plan, scores: Float[Tensor, "rows sets outputs"]) -> _Line:
    coefficients = plan.solver @ scores
    residual = scores - plan.design @ coefficients
    features = slice(1, 1 + plan.n)
    return _Line(
        coefficients[:, features],
        coefficients[:, 0],
        _error(plan, residual)[:, features],
        _fit(plan, residual, plan.design[:, features] @ coefficients[:, features]),
    )


def _error(plan: _Plan, residual: Float[Tensor, "rows sets outputs"]) -> Tensor:
    """Return the sandwich standard error of each coefficient (MacKinnon and White, 1985)."""
    leverage = (plan.design * plan.solver.T).sum(1)
    spread = plan.solver**2 @ (residual / (1 - leverage).clamp(min=1e-6)[:, None]) ** 2
    is_blind = len(plan.design) <= plan.design.shape[1]  # no residual to judge by
    return torch.full_like(spread, torch.inf) if is_blind else spread.sqrt()


def _fit(plan: _Plan, residual: Tensor, told: Tensor) -> Float[Tensor, "rows outputs"]:
    """Return the weighted R2 of what the features tell; 1 where there is nothing to explain."""
    weight = plan.weight / plan.weight.sum()
    scores = told + residual
    mean = torch.einsum("s,rso->ro", weight, scores)
    left = torch.einsum("s,rso->ro", weight, residual**2)
    total = torch.einsum("s,rso->ro", weight, (scores - mean[:, None]) ** 2)
    is_flat = total <= 1e-20 * (1 + mean**2)
    return torch.where(is_flat, 1.0, 1 - left / total.clamp(min=1e-300))
