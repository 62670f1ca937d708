"""Occlusion: how far the answer falls when one feature is hidden (Zeiler and Fergus, 2014)."""

from dataclasses import dataclass

import torch
from torch import Generator

from fivefold.core.data import Inputs
from fivefold.core.limits import Positive
from fivefold.core.model import Model
from fivefold.explanation.attribution import Attribution, is_sure
from fivefold.explanation.game import play
from fivefold.explanation.output import output_names, unit
from fivefold.explanation.question import asked
from fivefold.perturb import Features


@dataclass(frozen=True, kw_only=True)
class Occlusion:
    """The score of the example minus its mean score with one feature taken from the background rows.

    Cheap, for any model, and blind to features that stand in for one another: a row counts as converged
    only if its values add up to (score - base).

    Attributes:
        tolerance: Largest |sum of values - (score - base)|, as a share of the row's attributions.
        features: What counts as one feature; patches of an image.
    """

    tolerance: Positive = 0.1
    features: Features = Features()

    def evaluations(self, n: int, rows: int, background: int) -> int:
        """Return how many inputs the model will answer."""
        return rows * (1 + n * background) + background

    def __call__(
        self, model: Model, x: Inputs, background: Inputs, *, rng: Generator
    ) -> Attribution:
        """Return the fall of every output; `rng` is not used.

        Raises:
            NotMeasurable: The model's answer is not a finite number.
        """
        question = asked(model, x, background, self.features, hides_words=True)
        played = play(model, question, ~torch.eye(question.groups.n, dtype=torch.bool))
        values = played.full[:, None] - played.some
        base = played.empty.mean(0).expand_as(played.full)
        gap = played.full - base - values.sum(1)
        return Attribution(
            values=values,
            base=base,
            score=played.full,
            error=None,
            is_converged=is_sure(values, gap[:, None], self.tolerance),
            groups=question.groups,
            outputs=output_names(model.task),
            method="Occlusion",
            unit=unit(model.task),
            n_evaluations=played.n_evaluations,
        )
