"""An optimizer that writes down what private training releases: the noisy gradient of every step.

Private training promises that all of it may be published, so an attacker may have it. Nothing inside is
touched, and what is written down is what the weights are really moved by.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from jaxtyping import Float
from torch import Tensor, nn

from fivefold.training.optimizer import Optimizer, Stepper
from fivefold.training.schedule import Schedule

Reading: TypeAlias = Callable[[Sequence[nn.Parameter]], Float[Tensor, " canary"]]


@dataclass(frozen=True, kw_only=True)
class Watched:
    """An optimizer that does what another does, and reads each gradient before.

    Attributes:
        inner: The other.
        reading: What is read of weights and their gradients: a number for each canary.
        told: What was read so far, step by step.
    """

    inner: Optimizer
    reading: Reading
    told: list[Tensor] = field(default_factory=list[Tensor], compare=False)

    @property
    def schedule(self) -> Schedule:
        """How the learning rate changes."""
        return self.inner.schedule

    def over(self, weights: Iterable[nn.Parameter]) -> Stepper:
        """Return a stepper of `weights`."""
        given = [*weights]
        return _Reader(self.inner.over(given), given, self.reading, self.told)


@dataclass(frozen=True)
class _Reader:
    """A stepper that reads before it moves anything."""

    inner: Stepper
    weights: Sequence[nn.Parameter]
    reading: Reading
    told: list[Tensor]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return self.inner.param_groups

    def zero_grad(self) -> None:
        self.inner.zero_grad()

    def step(self) -> None:
        self.told.append(self.reading(self.weights))
        self.inner.step()

    def state_dict(self) -> dict[str, Any]:
        return self.inner.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.inner.load_state_dict(state_dict)
