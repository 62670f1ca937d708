"""Exact Shapley values by listing every set of features (Shapley, 1953; Lundberg and Lee, 2017)."""

from dataclasses import dataclass
from math import comb

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from fivefold.core.data import Inputs
from fivefold.core.errors import NotMeasurable
from fivefold.core.model import Model
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.coalitions import every_set
from fivefold.explanation.game import Played, play
from fivefold.explanation.output import output_names, unit
from fivefold.explanation.question import AS_IT_IS, Question, asked
from fivefold.explanation.removal import Removal
from fivefold.perturb import Features

MOST = 16  # 2**16 sets; each further feature doubles the cost
ROOM = 2**22  # scores held at one time


@dataclass(frozen=True, kw_only=True)
class ExactShapley:
    """Shapley values without sampling, for up to 16 features.

    Attributes:
        features: What counts as one feature.
        removal: How a hidden feature is replaced.
    """

    features: Features = Features()
    removal: Removal = AS_IT_IS

    def evaluations(self, n: int, rows: int, background: int) -> int:
        """Return how many inputs the model will answer."""
        return rows * (1 + 2**n * background) + background

    def __call__(
        self, model: Model, x: Inputs, background: Inputs, *, rng: Generator
    ) -> Attribution:
        """Return the exact values; `rng` is not used.

        Raises:
            NotMeasurable: More than 16 features.
        """
        question = asked(
            model, x, background, self.features, hides_words=True, removal=self.removal
        )
        keep, played = play_every_set(model, question, MOST, "LeverageSHAP")
        return _attribution(model, question, shapley_weights(keep), played)


def play_every_set(
    model: Model, question: Question, most: int, instead: str
) -> tuple[Bool[Tensor, "sets features"], list[Played]]:
    """Return every set of features, and its scores for as many rows at once as there is room for.

    Raises:
        NotMeasurable: There are more than `most` features; `instead` names who can do with more.
    """
    n = question.groups.n
    if n > most:
        raise NotMeasurable(
            "Listing every set of {n} features is too much; the limit is {most}.",
            mend="Use {instead}, or let columns or pixels count together as one feature.",
            n=n,
            most=most,
            instead=instead,
        )
    keep = every_set(n)
    size = max(1, ROOM // (len(keep) * model.task.n_outputs))
    return keep, [play(model, question._replace(x=part), keep) for part in question.x.split(size)]


def shapley_weights(keep: Bool[Tensor, "sets features"]) -> Float[Tensor, "features sets"]:
    """Return the matrix that turns the scores of all sets into Shapley values."""
    n = keep.shape[1]
    size = keep.sum(1)
    joins = torch.tensor([1 / (n * comb(n - 1, s)) for s in range(n)], dtype=torch.float64)
    gains = joins[(size - 1).clamp(min=0)] * keep.T
    losses = joins[size.clamp(max=n - 1)] * ~keep.T
    return gains - losses


def _attribution(
    model: Model, question: Question, weights: Tensor, played: list[Played]
) -> Attribution:
    full = torch.cat([p.full for p in played])
    return Attribution(
        values=torch.cat([weights @ p.some for p in played]),
        base=torch.cat([p.empty.mean(0).expand_as(p.full) for p in played]),
        score=full,
        error=None,
        is_converged=torch.ones(len(full)).bool(),
        groups=question.groups,
        outputs=output_names(model.task),
        method="ExactShapley",
        unit=unit(model.task),
        n_evaluations=sum(p.n_evaluations for p in played),
    )
