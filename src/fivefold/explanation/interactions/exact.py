"""Exact Shapley interactions by listing every set of features (Grabisch and Roubens, 1999)."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from fivefold.core.data import Inputs
from fivefold.core.model import Model
from fivefold.explanation.exact import play_every_set, shapley_weights
from fivefold.explanation.game import Played
from fivefold.explanation.interactions.index import pair_weights, with_main_effects
from fivefold.explanation.interactions.result import Interactions
from fivefold.explanation.output import output_names, unit
from fivefold.explanation.question import AS_IT_IS, Question, asked
from fivefold.explanation.removal import Removal
from fivefold.perturb import Features

MOST = 14  # 2**14 sets; each further feature doubles the cost


@dataclass(frozen=True, kw_only=True)
class ExactInteractions:
    """Shapley interactions of order two (2-SII) without sampling, for up to 14 features.

    Attributes:
        features: What counts as one feature.
        removal: How a hidden feature is replaced.
    """

    features: Features = Features()
    removal: Removal = AS_IT_IS

    def __call__(
        self, model: Model, x: Inputs, background: Inputs, *, rng: Generator
    ) -> Interactions:
        """Return the exact interactions; `rng` is not used.

        Raises:
            NotMeasurable: More than 14 features.
        """
        question = asked(
            model, x, background, self.features, hides_words=True, removal=self.removal
        )
        keep, played = play_every_set(model, question, MOST, "SampledInteractions")
        return _interactions(model, question, keep, played)


def listed(keep: Tensor, scores: Tensor) -> Tensor:
    """Return main effects and pairs from the scores `(rows, sets, outputs)` of every set."""
    n = keep.shape[1]
    pairs = pair_weights(keep).flatten(0, 1) @ scores
    return with_main_effects(shapley_weights(keep) @ scores, pairs.unflatten(1, (n, n)))


def _interactions(
    model: Model, question: Question, keep: Tensor, played: list[Played]
) -> Interactions:
    full = torch.cat([p.full for p in played])
    return Interactions(
        values=torch.cat([listed(keep, p.some) for p in played]),
        base=torch.cat([p.empty.mean(0).expand_as(p.full) for p in played]),
        score=full,
        error=None,
        is_converged=torch.ones(len(full)).bool(),
        groups=question.groups,
        outputs=output_names(model.task),
        method="ExactInteractions",
        unit=unit(model.task),
        n_evaluations=sum(p.n_evaluations for p in played),
    )
