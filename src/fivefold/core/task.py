"""What is predicted."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Task:
    """The kind of question a model answers.

    Attributes:
        kind: Classification (one of `classes`) or regression (one number).
        classes: Names of the classes in output order; empty for regression.
        target: Name of what is predicted.
        unit: Unit of a regression target.
    """

    kind: Literal["classification", "regression"] = "classification"
    classes: tuple[str, ...] = ()
    target: str = "target"
    unit: str = ""

    def __post_init__(self) -> None:
        if self.kind == "classification" and len(self.classes) < 2:
            raise ValueError(f"Classification of {self.target} needs at least two classes.")

    @property
    def n_outputs(self) -> int:
        """Width of what a model returns: one logit per class, or one number."""
        return len(self.classes) if self.is_classification else 1

    @property
    def is_classification(self) -> bool:
        """Whether the answer is one of a few classes."""
        return self.kind == "classification"
