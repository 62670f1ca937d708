"""What can be measured about a model, or about two of them."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Generator

from fivefold.core.data import Splits
from fivefold.core.evidence import Axis, Finding
from fivefold.core.model import Model


class Probe(ABC):
    """A frozen dataclass that measures one axis and changes nothing."""

    axis: ClassVar[Axis]
    tasks: ClassVar[tuple[str, ...]] = ("classification", "regression")  # others are not asked

    @abstractmethod
    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Return what was found.

        Raises:
            NotMeasurable: This kind of model cannot show it. The report says so, with the reason.
        """


class Comparison(ABC):
    """A frozen dataclass that measures what a step changed between two stages."""

    axis: ClassVar[Axis]

    @abstractmethod
    def __call__(
        self, before: Model, after: Model, splits: Splits, *, rng: Generator
    ) -> list[Finding]:
        """Return what differs.

        Raises:
            NotMeasurable: These kinds of model cannot show it.
        """
