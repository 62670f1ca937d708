"""The rows that are judged: training rows, test rows from the same source, and answers that are numbers."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.data import Batch
from fivefold.core.errors import NotMeasurable
from fivefold.core.model import Model
from fivefold.privacy.alike import first_difference

LEAST_ROWS = 10


def some(batch: Batch, most: int, rng: Generator) -> Batch:
    """Return at most that many rows, drawn at random and in their own order."""
    return batch.take(torch.randperm(batch.size, generator=rng)[:most].sort().values)


def joined(a: Batch, b: Batch) -> Batch:
    """Return the rows of both, those of `a` first."""
    if isinstance(a.x, Tensor) and isinstance(b.x, Tensor):
        return Batch(torch.cat([a.x, b.x]), torch.cat([a.y, b.y]))
    assert isinstance(a.x, Mapping) and isinstance(b.x, Mapping), (
        "both splits hold one kind of input"
    )
    return Batch({k: torch.cat([a.x[k], b.x[k]]) for k in a.x}, torch.cat([a.y, b.y]))


def check_alike(members: Batch, others: Batch, model: Model) -> None:
    """Check that what tells the rows apart can be membership.

    Raises:
        NotMeasurable: They are few, or differ anyway.
    """
    if min(members.size, others.size) < LEAST_ROWS:
        raise NotMeasurable(
            "Membership inference needs at least {least} training rows and as many test rows.",
            mend="Give it more rows.",
            least=LEAST_ROWS,
        )
    if column := first_difference(members, others, model):
        raise NotMeasurable(
            "Training rows and test rows differ in {column} beyond chance, so an attack would find that difference and not membership.",
            mend="Split the rows at random, or name test rows from the same source.",
            column=column,
        )


def finite(sure: Float[Tensor, "... row"]) -> Float[Tensor, "... row"]:
    """Return how sure the model is of each row, known to be numbers.

    Raises:
        NotMeasurable: They are not.
    """
    if not sure.isfinite().all():
        raise NotMeasurable("The model's answers are not finite.", mend="Train it anew.")
    return sure


def finite_shadows(sure: Float[Tensor, "shadow ... row"]) -> Float[Tensor, "shadow ... row"]:
    """Return how sure each shadow is of each row, known to be numbers.

    Raises:
        NotMeasurable: They are not.
    """
    if not sure.isfinite().all():
        raise NotMeasurable(
            "The answers of shadow models are not finite.",
            mend="Lower the learning rate of shadow_optimizer.",
        )
    return sure
