"""What was done to a model, with which data. It travels with the model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a step says of its own use of the data.

    Attributes:
        reads_data: Whether it looks at the examples. A step that says no is given none.
        privacy: The mechanism through which examples were read, for the accountant; empty if plain.
    """

    reads_data: bool = True
    privacy: Mapping[str, Any] = field(default_factory=dict[str, Any])


@runtime_checkable
class Claims(Protocol):
    """A step that does not simply read all of the data."""

    def claim(self, n_examples: int) -> Claim:
        """Return what the step promises when it is given `n_examples` training examples."""
        ...


class Record(NamedTuple):
    """One thing that was done.

    `step` is its encoded table, `data` the fingerprint of the training rows it read ("" if none).
    """

    name: str
    step: Mapping[str, Any]
    data: str
    claim: Claim


Lineage: TypeAlias = tuple[Record, ...]


def claim_of(step: object, n_examples: int) -> Claim:
    """Return what `step` claims; a step that says nothing has read everything, plainly."""
    return step.claim(n_examples) if isinstance(step, Claims) else Claim()
