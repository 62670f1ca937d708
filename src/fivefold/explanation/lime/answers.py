"""The model's answers to drawn rows, known to be numbers."""

from jaxtyping import Float
from torch import Tensor

from fivefold.core.errors import NotMeasurable
from fivefold.core.model import Model
from fivefold.explanation.output import score_of


def answers(model: Model, x: Float[Tensor, "samples columns"]) -> Float[Tensor, "samples outputs"]:
    """Return the scores of some rows, in double precision.

    Raises:
        NotMeasurable: One of them is not a finite number.
    """
    scores = score_of(model)(x).double()
    if not scores.isfinite().all():
        raise NotMeasurable(
            "The model's answer to some rows whose columns were drawn anew is not a finite number.",
            mend="Check the model's outputs on ordinary inputs first.",
        )
    return scores


def pairs(budget: int) -> int:
    """Return how many pairs of samples a budget buys, at least one."""
    return max(1, budget // 2)
