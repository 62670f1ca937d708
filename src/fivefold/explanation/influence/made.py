"""From the influences of each model to one result, with the error that several models tell."""

from collections.abc import Sequence
from math import sqrt

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fivefold.core.errors import BadInput
from fivefold.core.text import Text
from fivefold.explanation.influence.influence import Influence
from fivefold.explanation.influence.question import Asked


def made(
    question: Asked,
    *,
    pieces: Sequence[Float[Tensor, "rows train"]],
    method: str,
    unit: Text,
    limits: tuple[Text, ...] = (),
    is_converged: Bool[Tensor, " rows"] | None = None,
) -> Influence:
    """Return the mean over models trained apart, with its standard error if there are several.

    Raises:
        BadInput: A value is not finite.
    """
    every = torch.stack(list(pieces)).double()
    values = every.mean(0)
    if not bool(values.isfinite().all()):
        raise BadInput(
            "The influence of some examples is not a finite number.",
            mend="Raise the damping, and check that the model's outputs are finite.",
        )
    n = len(pieces)
    error = every.std(0) / sqrt(n) if n > 1 else None
    return Influence(
        values=values,
        error=error,
        is_converged=is_converged,
        limits=limits,
        train=question.train,
        x=question.x,
        schema=question.schema,
        task=question.task,
        method=method,
        unit=unit,
        n_models=n,
    )
