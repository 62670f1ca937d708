"""The one protocol of all methods that attribute to training data, so that a recipe can name any of them."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Generator

from fivefold.core.data import Batch
from fivefold.core.model import Model
from fivefold.explanation.influence.influence import Influence


@runtime_checkable
class Influencer(Protocol):
    """A frozen dataclass that says how much each training example moved an answer."""

    def __call__(
        self, model: Model | Sequence[Model], train: Batch, x: Batch, *, rng: Generator
    ) -> Influence:
        """Return the influence of every training example on the score of every row of `x`.

        The score is the log-odds of the class `x.y` (use `decided` for the class that the model
        answered), or the predicted number. Positive: learning from the example raised the score, so it
        spoke for that class and lowered its loss. Negative: it spoke against it.

        Args:
            model: What is explained, or several: checkpoints of one training, or models trained apart.
            train: The examples that it learned from, all of them.
            x: The rows, and the class asked about of each.
            rng: Source of whatever is drawn.

        Raises:
            BadInput: Rows that the model does not eat, or classes that it does not know.
            NotMeasurable: This kind of model has no such influences, or a privacy guarantee forbids them.
        """
        ...
