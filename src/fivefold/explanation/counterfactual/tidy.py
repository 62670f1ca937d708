"""Numbers that people say: rounded away from the row's own value, to a hundredth of the schema's unit or less."""

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.explanation.counterfactual.hunt import Hunt


def in_few_digits(
    hunt: Hunt, tried: Float[Tensor, "rows some columns"]
) -> Float[Tensor, "rows some columns"]:
    """Return changes whose numbers are multiples of a power of ten, a little further away than needed."""
    step = grid(hunt.ruler.unit)
    own = hunt.rules.x[:, None].double()
    steps = tried.double() / step
    far = torch.where(tried > own, steps.ceil(), steps.floor()) * step
    is_number = ~(hunt.rules.is_whole | own.isnan() | (tried == own))
    tidy = torch.where(is_number, far.to(tried.dtype), tried)
    return hunt.rules.obeyed(tidy)


def grid(unit: Float[Tensor, " columns"]) -> Float[Tensor, " columns"]:
    """Return the power of ten that is between a thousandth and a hundredth of each unit."""
    return 10.0 ** (unit.double().log10().floor() - 2)
