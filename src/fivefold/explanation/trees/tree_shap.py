"""Exact interventional TreeSHAP from tables of the background (Lundberg et al., 2020; after Laberge and Pequignot, 2022)."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from fivefold.core.data import Inputs
from fivefold.core.errors import NotMeasurable
from fivefold.core.model import Model
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.output import output_names, unit
from fivefold.explanation.question import Question, asked
from fivefold.explanation.trees.forest import Array
from fivefold.explanation.trees.read import read_trees
from fivefold.explanation.trees.reading import Reading, Spread
from fivefold.explanation.trees.values import tree_values
from fivefold.models import SklearnModel
from fivefold.models.answers import aligned
from fivefold.perturb import Features

CLOSE = 2e-5  # what single precision loses of the largest answer


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
    """

    features: Features = Features()

    def __call__(
        self, model: Model, x: Inputs, background: Inputs, *, rng: Generator
    ) -> Attribution:
        """Return the exact values; `rng` is not used.

        Raises:
            NotMeasurable: The model is not made of trees that are read here, or they answer otherwise.
        """
        reading = read_trees(model)
        assert isinstance(model, SklearnModel)
        question = asked(model, x, background, self.features)
        order = _order(model)
        found = _sums(reading, model, question)
        score = _spread(found.score, reading.spread, 1.0)[:, order]
        return Attribution(
            values=_spread(found.values, reading.spread, 0.0)[..., order],
            base=_spread(found.base, reading.spread, 1.0)[order].expand_as(score),
            score=score,
            error=None,
            is_converged=torch.ones(len(question.x)).bool(),
            groups=question.groups,
            outputs=output_names(model.task),
            method="TreeSHAP",
            unit=reading.unit or unit(model.task),
            n_evaluations=len(question.x) + len(question.background),
        )


class _Sums(NamedTuple):
    """What the trees add up to: values of each feature, the mean they start from, and the score."""

    values: Float[Tensor, "rows features outputs"]
    base: Float[Tensor, " outputs"]
    score: Float[Tensor, "rows outputs"]


def _sums(reading: Reading, model: SklearnModel, question: Question) -> _Sums:
    """Return the Shapley values of what the trees add up to, known to be what the library says."""
    forest = reading.forest
    given = [model.read(rows) for rows in (question.x, question.background)]
    codes = [forest.codes(np.asarray(reading.rows(rows), dtype=np.float64)) for rows in given]
    player = _players(reading, question)
    found = tree_values(forest, player, question.groups.n, *codes)
    values = found.values.permute(2, 0, 1)
    score = found.base + values.sum(1)
    _compare(score, reading.raw(given[0]))
    _compare(found.base[None], reading.raw(given[1]).mean(0, keepdims=True))
    return _Sums(values, found.base, score)


def _players(reading: Reading, question: Question) -> Int[Tensor, " nodes"]:
    """Return the feature that each node asks about."""
    column = np.array([view.column for view in reading.forest.views] or [0])
    place = column if reading.source is None else reading.source[column]
    return question.groups.member[torch.from_numpy(place)][reading.forest.view]


def _compare(ours: Float[Tensor, "rows outputs"], theirs: Array) -> None:
    away = (ours - torch.from_numpy(theirs)).abs().max()
    if not away <= CLOSE * max(1.0, float(np.abs(theirs).max())):
        raise NotMeasurable(
            "The trees as they were read answer otherwise than the model, by up to {away}.",
            mend="Use LeverageSHAP, which only asks the model.",
            away=float(away),
        )


def _spread(sums: Tensor, how: Spread, whole: float) -> Tensor:
    """Return one score per class, or the difference of two such scores if `whole` is 0."""
    if how == "each":
        return sums
    return torch.cat([-sums if how == "opposite" else whole - sums, sums], -1)


def _order(model: SklearnModel) -> list[int]:
    """Return where each output of the task is among those of the estimator."""
    if not model.task.is_classification:
        return [0]
    return list(aligned(model.estimator.classes_, model.task, model.name))
