"""What a batch changes before the weights move, so that a batch that was begun can be undone."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, Self

import torch
from torch import Tensor

from fivefold.training.state import State


class Source(Protocol):
    """Something that changes while a network is trained, such as a source of randomness."""

    def get_state(self) -> Tensor:
        """Return a copy of what it is now."""
        ...

    def set_state(self, state: Tensor, /) -> object:
        """Go back to what `get_state` returned."""
        ...


class Settled(NamedTuple):
    """The moment between two batches: states of the sources of randomness, and the buffers of the network."""

    drawn: tuple[Tensor, ...]
    buffers: dict[str, Tensor]

    @classmethod
    def of(cls, state: State, generators: Sequence[Source]) -> Self:
        """Return this moment."""
        buffers = {k: v.detach().clone() for k, v in state.net.named_buffers()}
        return cls(tuple(g.get_state() for g in generators), buffers)

    @torch.no_grad()
    def undo(self, state: State, generators: Sequence[Source]) -> None:
        """Go back to it, if no weight has moved since."""
        for name, buffer in state.net.named_buffers():
            buffer.copy_(self.buffers[name])
        for generator, drawn in zip(generators, self.drawn, strict=True):
            generator.set_state(drawn)
