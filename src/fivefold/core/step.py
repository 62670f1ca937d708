"""What can be done to a model."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Generator

from fivefold.core.data import Seen
from fivefold.core.model import Model


class Step(ABC):
    """A frozen dataclass whose fields are its hyperparameters.

    A step sees no test split and returns a new model; it never changes the one it was given, and it
    neither prints, saves nor reads a clock.
    """

    hides_time: ClassVar[bool] = False
    """Whether how long it took would tell what it promises to hide; a run then keeps no time of it."""

    @abstractmethod
    def __call__(self, model: Model, seen: Seen, *, rng: Generator) -> Model:
        """Return the improved model."""
