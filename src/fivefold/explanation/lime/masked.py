"""A local linear model of the answer (Ribeiro, Singh and Guestrin, 2016, LIME), solved for all rows at once."""

from dataclasses import dataclass
from math import exp

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from fivefold.core.data import Inputs
from fivefold.core.limits import Count, Natural, NonNegative, Positive, Share
from fivefold.core.model import Model
from fivefold.explanation.attribution import Attribution, is_sure
from fivefold.explanation.game import even_draws, luck, play
from fivefold.explanation.lime.answers import pairs
from fivefold.explanation.lime.line import Line, Samples, fitted, planned, told
from fivefold.explanation.output import output_names, unit
from fivefold.explanation.question import AS_IT_IS, asked
from fivefold.explanation.removal import Removal
from fivefold.perturb import Features


@dataclass(frozen=True, kw_only=True)
class LIME:
    """Ridge regression of the score on which features are known: columns, patches, or words.

    The weight of a set, exp(-share of hidden features / width^2), is a product over features. So the sets
    are drawn with that probability in the first place instead of being weighted afterwards, which is the
    same line from samples that all count. They come in pairs of opposites, and they and the factored
    matrix are shared by all examples and outputs.

    Attributes:
        budget: Sets of features tried, rounded down to pairs.
        width: Width of the neighbourhood.
        penalty: Ridge penalty of the coefficients, relative to the total weight.
        draws: Background rows per set; 0 takes all of them.
        tolerance: A row is converged if the error is at most this share of its coefficients, ...
        least_fit: ... and the local model explains at least this share of the score's variance.
        features: What counts as one feature.
        removal: How a hidden feature is replaced.
    """

    budget: Count = 1024
    width: Positive = 0.75
    penalty: NonNegative = 1e-6
    draws: Natural = 0
    tolerance: Positive = 0.1
    least_fit: Share = 0.5
    features: Features = Features()
    removal: Removal = AS_IT_IS

    def evaluations(self, n: int, rows: int, background: int) -> int:
        """Return how many inputs the model will answer."""
        each = min(self.draws or background, background)
        return rows * (1 + self.budget * each) + background

    def __call__(
        self, model: Model, x: Inputs, background: Inputs, *, rng: Generator
    ) -> Attribution:
        """Return the coefficients, their standard errors and the R2 of each local model."""
        question = asked(
            model, x, background, self.features, hides_words=True, removal=self.removal
        )
        n = question.groups.n
        keep = sets_near(self.budget, n, self.width, rng)
        draws = even_draws(len(keep), len(question.background), self.draws, rng)
        played = play(model, question, keep, draws)
        samples = _samples(keep, luck(question, draws))
        line = fitted(planned(samples, self.penalty), played.some)
        known, luckless = _without_luck(samples, line, played.some, n)
        fit = told(samples._replace(design=samples.design[..., :n]), known, luckless)
        return Attribution(
            values=known.slope,
            base=known.intercept,
            score=played.full,
            error=known.error,
            is_converged=is_sure(known.slope, known.error, self.tolerance)
            & (fit >= self.least_fit).all(-1),
            groups=question.groups,
            outputs=output_names(model.task),
            method="LIME",
            unit=unit(model.task),
            n_evaluations=played.n_evaluations,
            fit=fit,
        )


def sets_near(budget: int, n: int, width: float, rng: Generator) -> Bool[Tensor, "sets features"]:
    """Return pairs of opposite sets, drawn as the kernel weighs them; the second half are the partners."""
    kept = 1 / (1 + exp(-min(1 / (n * width**2), 700.0)))
    drawn = torch.rand(pairs(budget), n, generator=rng)
    return torch.cat([drawn < kept, 1 - drawn < kept])


def _samples(
    keep: Bool[Tensor, "sets features"], deviation: Float[Tensor, "sets features"] | None
) -> Samples:
    """Return the regression: first the features, then what absorbs the luck of the draws, if there is any."""
    parts = [keep.double()] + ([] if deviation is None else [(~keep).double() * deviation])
    weight = torch.ones(1, len(keep), dtype=torch.float64)
    return Samples(torch.cat(parts, 1)[None], weight, is_paired=True)


def _without_luck(
    samples: Samples, line: Line, scores: Float[Tensor, "rows sets outputs"], n: int
) -> tuple[Line, Float[Tensor, "rows sets outputs"]]:
    """Return what the features tell, and the scores without what the draws added."""
    known = Line(line.slope[:, :n], line.intercept, line.error[:, :n])
    return known, scores - samples.design[..., n:] @ line.slope[:, n:]
