"""Networks with canaries planted: in single weights, or in rows that pass through every layer."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Generator, Tensor, nn

from fivefold.core.data import Batch, Inputs, take, to_device
from fivefold.core.loss import Loss
from fivefold.privacy.audit.canary import Amplified, Coordinates, Pulled, strangers
from fivefold.privacy.audit.slopes import MOST_NUMBERS, shares, size_of, slopes, trainable
from fivefold.privacy.audit.watched import Reading

Kind: TypeAlias = Literal["weights", "rows"]
OVER = (
    2e4  # how far a canary's gradient is above the clipping norm, in units of the loss's own slope
)


class Planted(NamedTuple):
    """A network with canaries.

    Attributes:
        net: The network around the real one.
        x: What canaries look like to it, a row for each.
        size: Number of canaries.
        reading: What a released gradient says of each, in units of its own gradient.
    """

    net: nn.Module
    x: Inputs
    size: int
    reading: Reading


class Soil(NamedTuple):
    """Where canaries are planted.

    Attributes:
        net: The network.
        rows: Real rows beside which they are trained.
        loss: What is trained for.
        most: Most canaries.
        clip_norm: What each example's gradient is shortened to.
    """

    net: nn.Module
    rows: Batch
    loss: Loss
    most: int
    clip_norm: float


def in_weights(soil: Soil, rng: Generator) -> Planted:
    """Plant canaries whose gradient is one number of one weight, each another (Dirac canaries)."""
    where, inner = Coordinates.drawn(soil.net, soil.most, rng), deepcopy(soil.net)
    names = [n for n, w in inner.named_parameters() if w.requires_grad]

    def reading(weights: Sequence[nn.Parameter]) -> Tensor:
        return where.read(dict(zip(names, _gradients(weights), strict=True)))

    x = take(soil.rows.x, torch.randint(soil.rows.size, (len(where),), generator=rng))
    around = Pulled(inner, where, OVER * soil.clip_norm).to(_device(inner))
    return Planted(around, x, len(where), reading)


def in_rows(soil: Soil, rng: Generator) -> Planted:
    """Plant strange rows that ask for an answer of their own; their gradients go through every layer.

    Real rows are known to the attacker, so what they may have added is taken out as well.
    """
    inner = deepcopy(soil.net).eval()
    size = rows_that_fit(soil)
    x = strangers(soil.rows.x, size, rng)
    device = _device(inner)
    shown, real = to_device(x, device), soil.rows.to(device)
    n_outputs = inner(take(shown, slice(0, 1))).shape[1]
    direction = torch.randn(size, n_outputs, generator=rng).to(device)

    def told() -> Tensor:
        return torch.cat([(inner(shown) * direction).sum(1), soil.loss(inner, real)])

    def reading(weights: Sequence[nn.Parameter]) -> Tensor:
        for own, weight in zip(trainable(inner), weights, strict=True):
            own.data.copy_(weight.detach())
        released = torch.cat([g.flatten() for g in _gradients(weights)]).double()
        return shares(released, slopes(inner, told))[:size].cpu()

    length = slopes(inner, told)[:size].norm(dim=1).clamp(min=1e-6)
    strength = (OVER * soil.clip_norm / length).to(direction)
    return Planted(Amplified(deepcopy(soil.net), direction, strength), x, size, reading)


def rows_that_fit(soil: Soil) -> int:
    """Return how many strange rows can be told apart, and held in memory beside the real ones."""
    n = size_of(soil.net)
    return max(0, min(soil.most, n // 4 - soil.rows.size, MOST_NUMBERS // n - soil.rows.size))


PLANTING: dict[Kind, Callable[[Soil, Generator], Planted]] = {
    "weights": in_weights,
    "rows": in_rows,
}


def _gradients(weights: Sequence[nn.Parameter]) -> list[Tensor]:
    return [torch.zeros_like(w) if w.grad is None else w.grad.detach() for w in weights]


def _device(net: nn.Module) -> torch.device:
    return next(net.parameters()).device
