"""What an explainer that knows nothing would give: the same numbers in places where they do not belong."""

import torch
from jaxtyping import Float
from torch import Generator, Tensor


def misplaced(
    values: Float[Tensor, "rows features"], rng: Generator
) -> Float[Tensor, "rows features"]:
    """Return each row's values, shuffled among its features."""
    return values.gather(1, torch.rand(values.shape, generator=rng).argsort(1))


def of_others(values: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows ..."]:
    """Return the values of another row in place of each row's own; of a single row, its own."""
    return values.roll(1, 0)
