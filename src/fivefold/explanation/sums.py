"""Models whose answer is a sum: what the sum means, and how it becomes one score per class."""

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.errors import NotMeasurable
from fivefold.core.model import Model
from fivefold.core.text import Text, text
from fivefold.explanation.attribution import Attribution
from fivefold.explanation.output import output_names, unit
from fivefold.explanation.preparation import Array
from fivefold.explanation.question import Question
from fivefold.models import SklearnModel
from fivefold.models.answers import aligned

# The sums are the scores of the classes, or the one sum belongs to the second class and the first has
# its negative (log-odds) or what it lacks to 1 (probability).
Spread: TypeAlias = Literal["each", "opposite", "complement"]
LOG_ODDS, PROBABILITY = text("log-odds"), text("probability")
BEFORE_SOFTMAX = text("score before softmax")
AGAINST_REST = text("log-odds of one class against the rest")
LOG_TARGET = text("logarithm of the target")
TARGET = Text("")  # the task knows the unit
CLOSE = 2e-5  # what single precision loses of the largest answer


class Sums(NamedTuple):
    """Shapley values of sums, the mean they start from, and what one unit of them is."""

    values: Float[Tensor, "rows features sums"]
    base: Float[Tensor, " sums"]
    unit: Text
    spread: Spread

    @property
    def score(self) -> Float[Tensor, "rows sums"]:
        """What the values add up to."""
        return self.base + self.values.sum(1)


def check_sums(
    sums: Sums, x: Float[Array, "rows sums"], background: Float[Array, "background sums"]
) -> None:
    """Check that the sums are what the model itself answers: another model would be explained.

    Raises:
        NotMeasurable: They are not.
    """
    pairs = ((sums.score, x), (sums.base[None], background.mean(0, keepdims=True)))
    for ours, theirs in pairs:
        away = float((ours - torch.from_numpy(theirs)).abs().max())
        if not away <= CLOSE * max(1.0, float(np.abs(theirs).max())):
            raise NotMeasurable(
                "The model as it was read answers otherwise than it does, by up to {away}.",
                mend="Use LeverageSHAP, which only asks the model.",
                away=away,
            )


def attribution_of(sums: Sums, model: Model, question: Question, method: str) -> Attribution:
    """Return the attribution of each output of the task."""
    order = _order(model)
    spread: Spread = sums.spread if model.task.is_classification else "each"
    score = _spread(sums.score, spread, 1.0)[:, order]
    return Attribution(
        values=_spread(sums.values, spread, 0.0)[..., order],
        base=_spread(sums.base, spread, 1.0)[order].expand_as(score),
        score=score,
        error=None,
        is_converged=torch.ones(len(score)).bool(),
        groups=question.groups,
        outputs=output_names(model.task),
        method=method,
        unit=sums.unit or unit(model.task),
        n_evaluations=len(question.x) + len(question.background),
    )


def _spread(sums: Tensor, how: Spread, whole: float) -> Tensor:
    """Return one score per class, or the difference of two such scores if `whole` is 0."""
    if how == "each":
        return sums
    return torch.cat([-sums if how == "opposite" else whole - sums, sums], -1)


def _order(model: Model) -> list[int]:
    """Return where each output of the task is among those of the model."""
    if isinstance(model, SklearnModel) and model.task.is_classification:
        return list(aligned(model.estimator.classes_, model.task, model.name))
    return list(range(model.task.n_outputs))
