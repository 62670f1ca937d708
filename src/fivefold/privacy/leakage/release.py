"""What of an explanation leaves the house: all of it, its largest values, or rounded ones."""

from typing import Literal, TypeAlias, TypeGuard

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.data import Batch, Inputs
from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.core.model import Model
from fivefold.privacy.leakage.explainer import Explainer

Release: TypeAlias = Literal["full", "top 3", "rounded"]
TOP = 3
LEAST = 1e-300  # values below it have no digits


def explained(
    explainer: Explainer, model: Model, pool: Batch, background: Inputs, rng: Generator
) -> Float[Tensor, "rows features"]:
    """Return the explanations of what the model predicts of each row.

    Raises:
        BadInput: The explainer returns something else.
        NotMeasurable: It cannot explain this model, or not in numbers.
    """
    answer = model.predict(pool.x)
    values = getattr(explainer(model, pool.x, background, rng=rng), "values", None)
    if not _is_whole(values, answer):
        raise BadInput(
            "{explainer} does not return values for rows, features and outputs.",
            where="explainers",
            mend="Return something whose values have three axes: a row for each example, and one output or as many as the model has.",
            explainer=type(explainer).__name__,
        )
    if not values.isfinite().all():
        raise NotMeasurable(
            "{explainer} returns values that are not finite.",
            mend="Name another explainer.",
            explainer=type(explainer).__name__,
        )
    values = values.detach().cpu().double()
    one = answer.argmax(1) if values.shape[2] > 1 else torch.zeros(len(values)).long()
    return values[torch.arange(len(values)), :, one]


def _is_whole(values: object, answer: Float[Tensor, "rows outputs"]) -> TypeGuard[Tensor]:
    return (
        isinstance(values, Tensor)
        and values.dim() == len(("rows", "features", "outputs"))
        and len(values) == len(answer)
        and values.shape[1] > 0
        and values.shape[2] in (1, answer.shape[1])
    )


def released(
    values: Float[Tensor, "rows features"], release: Release
) -> Float[Tensor, "rows features"]:
    """Return what is published: all values, the three largest of each row, or one digit of each value."""
    if release == "top 3":
        largest = values.abs().topk(min(TOP, values.shape[1]), dim=1).indices
        return torch.zeros_like(values).scatter(1, largest, values.gather(1, largest))
    if release == "rounded":
        digit = 10 ** values.abs().log10().floor()
        return torch.where(values.abs() < LEAST, 0.0, (values / digit).round() * digit)
    return values
