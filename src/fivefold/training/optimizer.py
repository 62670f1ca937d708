"""Optimizers, as parts that a recipe can name."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from fivefold.core.limits import NonNegative, Positive, Share
from fivefold.training.schedule import Constant, Schedule


class Stepper(Protocol):
    """What moves the weights: a torch optimizer, or something that looks like one."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Weights and their settings; `lr` may be changed between steps."""
        ...

    def zero_grad(self) -> None:
        """Forget the gradients."""
        ...

    def step(self) -> Any:
        """Move the weights along their gradients."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything it remembers."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Remember what `state_dict` returned."""
        ...


@runtime_checkable
class Optimizer(Protocol):
    """Makes a fresh stepper for some weights, and says how its learning rate changes."""

    @property
    def schedule(self) -> Schedule:
        """How the learning rate changes."""
        ...

    def over(self, weights: Iterable[nn.Parameter]) -> Stepper:
        """Return a stepper of `weights`."""
        ...


@dataclass(frozen=True, kw_only=True)
class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019).

    Attributes:
        lr: Learning rate.
        weight_decay: Decay per step, in units of `lr`.
        schedule: How the learning rate changes.
    """

    lr: Positive = 1e-3
    weight_decay: NonNegative = 0.01
    schedule: Schedule = Constant()

    def over(self, weights: Iterable[nn.Parameter]) -> Stepper:
        """Return the torch optimizer."""
        return torch.optim.AdamW(weights, lr=self.lr, weight_decay=self.weight_decay)


@dataclass(frozen=True, kw_only=True)
class SGD:
    """Stochastic gradient descent with momentum (Sutskever et al., 2013).

    Attributes:
        lr: Learning rate.
        momentum: Share of the last step that is repeated.
        nesterov: Whether to look ahead; needs momentum.
        weight_decay: Added to the gradient, times the weight.
        schedule: How the learning rate changes.
    """

    lr: Positive = 0.05
    momentum: Share = 0.9
    nesterov: bool = True
    weight_decay: NonNegative = 0.0
    schedule: Schedule = Constant()

    def __post_init__(self) -> None:
        if self.nesterov and not self.momentum:
            raise ValueError("SGD with nesterov needs a momentum above 0.")

    def over(self, weights: Iterable[nn.Parameter]) -> Stepper:
        """Return the torch optimizer."""
        return torch.optim.SGD(
            weights,
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
        )


@dataclass(frozen=True, kw_only=True)
class Muon:
    """Momentum made orthogonal for matrices (Jordan et al., 2024), AdamW for everything else.

    Attributes:
        lr: Learning rate of both; the orthogonal step is scaled to the size of AdamW's.
        momentum: Share of the last step that is repeated.
        weight_decay: Decay per step, in units of `lr`.
        schedule: How the learning rate changes.
    """

    lr: Positive = 1e-3
    momentum: Share = 0.95
    weight_decay: NonNegative = 0.01
    schedule: Schedule = Constant()

    def over(self, weights: Iterable[nn.Parameter]) -> Stepper:
        """Return one stepper over both kinds of weight."""
        given = list(weights)
        matrices, rest = [w for w in given if w.ndim == 2], [w for w in given if w.ndim != 2]
        parts: list[torch.optim.Optimizer] = []
        if matrices:
            parts.append(
                torch.optim.Muon(
                    matrices,
                    lr=self.lr,
                    weight_decay=self.weight_decay,
                    momentum=self.momentum,
                    adjust_lr_fn="match_rms_adamw",
                )
            )
        if rest:
            parts.append(torch.optim.AdamW(rest, lr=self.lr, weight_decay=self.weight_decay))
        return _Together(tuple(parts))


@dataclass(frozen=True)
class _Together:
    """Several torch optimizers that act as one."""

    parts: tuple[torch.optim.Optimizer, ...]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for part in self.parts for group in part.param_groups]

    def zero_grad(self) -> None:
        for part in self.parts:
            part.zero_grad()

    def step(self) -> None:
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        return {str(i): part.state_dict() for i, part in enumerate(self.parts)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for i, part in enumerate(self.parts):
            part.load_state_dict(state_dict[str(i)])
