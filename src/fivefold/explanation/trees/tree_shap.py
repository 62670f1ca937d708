"""Exact interventional TreeSHAP from tables of the background (Lundberg et al., 2020; after Laberge and Pequignot, 2022)."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Generator, Tensor

from fivefold.core.data import Inputs
from fivefold.core.model import Model
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.question import AS_IT_IS, Question, asked, refuse_conditional
from fivefold.explanation.removal import Removal
from fivefold.explanation.sums import Sums, attribution_of, check_sums
from fivefold.explanation.trees.read import read_trees
from fivefold.explanation.trees.reading import Reading
from fivefold.explanation.trees.values import tree_values
from fivefold.models import SklearnModel
from fivefold.perturb import Features


@dataclass(frozen=True, kw_only=True)
class TreeSHAP:
    """Exact Shapley values of tree ensembles; the cost of a row does not grow with the background.

    Decision trees, random forests, extremely randomized trees, gradient boosting (histogram too) and
    AdaBoost of scikit-learn, LightGBM and XGBoost, also after steps that treat each column by itself.
    Explained is what the trees add up to: log-odds or another score of boosting, the probability of a
    forest, the number of a regression; the unit says which. The trees as they were read must answer as
    the library does, or the explanation is refused.

    Attributes:
        features: What counts as one feature.
        removal: How a hidden feature is replaced: by rows as they are, whatever is known (MarginalRemoval
            without a summary, BaselineRemoval); others are refused.
    """

    features: Features = Features()
    removal: Removal = AS_IT_IS

    def evaluations(self, n: int, rows: int, background: int) -> int:
        """Return how many inputs the model will answer."""
        return rows + background

    def __call__(
        self, model: Model, x: Inputs, background: Inputs, *, rng: Generator
    ) -> Attribution:
        """Return the exact values; `rng` is not used.

        Raises:
            NotMeasurable: The model is not made of trees that are read here, or they answer otherwise.
        """
        reading = read_trees(model)
        assert isinstance(model, SklearnModel)
        question = asked(model, x, background, self.features, removal=self.removal)
        refuse_conditional(question, "TreeSHAP")
        sums = _sums(reading, model, question)
        return attribution_of(sums, model, question, "TreeSHAP")


def _sums(reading: Reading, model: SklearnModel, question: Question) -> Sums:
    """Return the Shapley values of what the trees add up to, known to be what the library says."""
    forest = reading.forest
    x, background = (model.read(rows) for rows in (question.x, question.background))
    codes = [forest.codes(np.asarray(reading.rows(r), dtype=np.float64)) for r in (x, background)]
    player = _players(reading, question)
    found = tree_values(forest, player, question.groups.n, *codes)
    sums = Sums(found.values.permute(2, 0, 1), found.base, reading.unit, reading.spread)
    check_sums(sums, reading.raw(x), reading.raw(background))
    return sums


def _players(reading: Reading, question: Question) -> Int[Tensor, " nodes"]:
    """Return the feature that each node asks about."""
    column = np.array([view.column for view in reading.forest.views] or [0])
    place = column if reading.source is None else reading.source[column]
    return question.groups.member[torch.from_numpy(place)][reading.forest.view]
