"""Ask a model about the test split, for probes that suit one kind of task."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from fivefold.core.data import Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Axis, Missing
from fivefold.core.model import Model
from fivefold.core.text import text


class Asked(NamedTuple):
    """What the model answered: `(batch, classes)` or `(batch,)`, and what is true, `(batch,)`."""

    outputs: Float[Tensor, "batch ..."]
    truth: Tensor


def classes(model: Model, splits: Splits, probe: object) -> Asked:
    """Return logits and true classes.

    Raises:
        NotMeasurable: The task has no classes, or nothing is held out.
    """
    if not model.task.is_classification:
        raise NotMeasurable(
            "{probe} needs classes, and this task asks for a number.",
            mend="Use learning.R2 or learning.RMSE.",
            probe=type(probe).__name__,
        )
    return Asked(_outputs(model, splits), splits.test.y)


def numbers(model: Model, splits: Splits) -> Asked:
    """Return predicted and true numbers, in float64.

    Raises:
        NotMeasurable: Nothing is held out.
    """
    return Asked(_outputs(model, splits)[:, 0].double(), splits.test.y.double())


def no_number(name: str) -> Missing:
    """Return what a probe of numbers says of a task that asks for a class."""
    reason = text("This task asks for a class, and not for a number.")
    return Missing(axis=Axis.LEARNING, name=name, reason=reason)


def _outputs(model: Model, splits: Splits) -> Tensor:
    if not splits.test.size:
        raise NotMeasurable(
            "There are no test examples.", mend="Give the test split a share of the rows."
        )
    return model.predict(splits.test.x)
