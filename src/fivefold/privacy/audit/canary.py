"""Canaries: examples whose gradient an attacker chooses (Nasr et al., 2021 and 2023).

They are rows of the training data like any other. What makes them canaries is the network that they are
shown to: around the real one, it answers them so that the gradient of their loss is as large as wanted, and
never fades while training goes on. Private training knows nothing of it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from fivefold.core.data import Inputs, take

MARK = "fivefold canary"  # key of the input that says which canary a row is
REAL, BLANK = -1, -2  # marks of the user's rows, and of canaries that the coin left out
PLAIN = "fivefold row"  # key of inputs that are one tensor


class Coordinates(NamedTuple):
    """Single numbers among the weights, one for each canary.

    Attributes:
        names: Weights, in the order of the network.
        owner: Which of them each canary pulls at.
        place: Which of its numbers, counted flat.
    """

    names: Sequence[str]
    owner: Int[Tensor, " canary"]
    place: Int[Tensor, " canary"]

    @classmethod
    def drawn(cls, net: nn.Module, most: int, rng: Generator) -> "Coordinates":
        """Return up to `most` different ones, shared out evenly over the weights."""
        weights = {n: w for n, w in net.named_parameters() if w.requires_grad and w.dim()}
        orders = [torch.randperm(w.numel(), generator=rng) for w in weights.values()]
        pairs = [
            (k, int(order[i]))
            for i in range(max((len(o) for o in orders), default=0))
            for k, order in enumerate(orders)
            if i < len(order)
        ][:most]
        table = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)
        return cls([*weights], table[:, 0], table[:, 1])

    def __len__(self) -> int:
        return len(self.owner)

    def read(self, gradients: Mapping[str, Tensor]) -> Float[Tensor, " canary"]:
        """Return the gradient at each of them."""
        found = torch.zeros(len(self), dtype=torch.float64)
        for k, name in enumerate(self.names):
            mine = self.owner == k
            found[mine] = gradients[name].flatten().cpu().double()[self.place[mine]]
        return found


class Pulled(nn.Module):
    """A network whose loss for a canary falls along one weight, however far it has fallen already.

    Attributes:
        inner: The network.
        coordinates: Where each canary pulls.
        strength: Length of a canary's gradient, in units of the loss's own slope.
    """

    def __init__(self, inner: nn.Module, coordinates: Coordinates, strength: float) -> None:
        super().__init__()
        self.inner, self.names, self.strength = inner, tuple(coordinates.names), strength
        shapes = [inner.get_parameter(n).shape for n in self.names]
        widths = torch.tensor([s.numel() // s[0] for s in shapes], dtype=torch.int64)
        width = widths[coordinates.owner]
        self.register_buffer("owner", coordinates.owner)
        self.register_buffer("row", coordinates.place // width)
        self.register_buffer("column", coordinates.place % width)

    def forward(self, x: Mapping[str, Tensor]) -> Tensor:
        """Answer real rows as the network does, canaries by the weight they pull at."""
        answer, mark = self.inner(inputs_of(x)), x[MARK]
        pull = torch.zeros(len(mark), device=answer.device, dtype=answer.dtype)
        which = mark.clamp(min=0)
        for k, name in enumerate(self.names):
            mine = (self.get_buffer("owner")[which] == k) & (mark >= 0)
            number = _weight(self.inner, name)[self.get_buffer("row")[which] * mine]
            if number.dim() > 1:
                column = (self.get_buffer("column")[which] * mine)[:, None]
                number = number.flatten(1).gather(1, column)[:, 0]
            pull = pull + number * mine
        return answered(answer, mark, pull * self.strength)


class Amplified(nn.Module):
    """A network that cares about canaries without measure: their loss is its answer, many times over.

    Attributes:
        inner: The network.
        direction: What each canary asks of the answer, `(canary, output)`.
        strength: How many times, for each canary.
    """

    def __init__(self, inner: nn.Module, direction: Tensor, strength: Tensor) -> None:
        super().__init__()
        self.inner = inner
        self.register_buffer("asked", direction * strength[:, None])

    def forward(self, x: Mapping[str, Tensor]) -> Tensor:
        """Answer real rows as the network does, canaries with the gradient of what they ask."""
        answer, mark = self.inner(inputs_of(x)), x[MARK]
        asked = self.get_buffer("asked")[mark.clamp(min=0)].to(answer.dtype)
        pull = (answer * asked).sum(1) * (mark >= 0)
        return answered(answer, mark, pull)


def _weight(net: nn.Module, name: str) -> Tensor:
    """Return what stands in the place of a weight, which may be a tensor in its stead."""
    layer, _, own = name.rpartition(".")
    return getattr(net.get_submodule(layer), own)


def answered(answer: Tensor, mark: Tensor, pull: Tensor) -> Tensor:
    """Return `answer` for real rows; for others zeros, so that their loss has a multiple of `pull`'s slope.

    The loss falls as the first output rises, for the class 0 as for the number 1; hence the minus.
    """
    still = torch.where((mark == REAL)[:, None], answer, torch.zeros_like(answer))
    first = torch.zeros(answer.shape[1], device=answer.device, dtype=answer.dtype)
    first[0] = 1.0
    return still - (pull - pull.detach())[:, None] * first


def marked(x: Inputs, mark: Int[Tensor, " batch"]) -> dict[str, Tensor]:
    """Return inputs that say which canary each row is."""
    return {**({PLAIN: x} if isinstance(x, Tensor) else x), MARK: mark}


def inputs_of(x: Mapping[str, Tensor]) -> Inputs:
    """Return what the network itself eats of marked inputs."""
    return x[PLAIN] if PLAIN in x else {k: v for k, v in x.items() if k != MARK}


def strangers(x: Inputs, n: int, rng: Generator) -> Inputs:
    """Return `n` rows that nobody has: each value is some real row's, but no two need be of the same.

    Inputs of several tensors belong together, so those are taken as they are.
    """
    size = len(x) if isinstance(x, Tensor) else len(next(iter(x.values())))
    rows = torch.randint(size, (n,), generator=rng)
    if not isinstance(x, Tensor):
        return take(x, rows)
    flat = x.reshape(size, -1)
    mixed = torch.randint(size, (n, flat.shape[1]), generator=rng)
    return flat.gather(0, mixed).reshape(n, *x.shape[1:])
