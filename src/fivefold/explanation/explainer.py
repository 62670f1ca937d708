"""The one protocol of all explainers, so that a recipe can name any of them as a part of a probe."""

from typing import Protocol, runtime_checkable

from torch import Generator

from fivefold.core.data import Inputs
from fivefold.core.model import Model
from fivefold.explanation.attribution import Attribution


@runtime_checkable
class Explainer(Protocol):
    """A frozen dataclass that says how much each feature moved an answer."""

    def __call__(
        self, model: Model, x: Inputs, background: Inputs, *, rng: Generator
    ) -> Attribution:
        """Return the attributions of the examples `x` for every output.

        Args:
            model: What is explained: its log-odds, or its number.
            x: The examples.
            background: Rows that stand for "the feature is not known".
            rng: Source of whatever is sampled.

        Raises:
            BadInput: Inputs that the model does not eat.
            NotMeasurable: This kind of model cannot be explained this way.
        """
        ...
