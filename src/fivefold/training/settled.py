"""What a batch changes before the weights move, so that a batch that was begun can be undone."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
from torch import Generator, Tensor

from fivefold.training.state import State


class Settled(NamedTuple):
    """The moment between two batches: states of the sources of randomness, and the buffers of the network."""

    drawn: tuple[Tensor, ...]
    buffers: dict[str, Tensor]

    @classmethod
    def of(cls, state: State, generators: Sequence[Generator]) -> Self:
        """Return this moment."""
        buffers = {k: v.detach().clone() for k, v in state.net.named_buffers()}
        return cls(tuple(g.get_state() for g in generators), buffers)

    @torch.no_grad()
    def undo(self, state: State, generators: Sequence[Generator]) -> None:
        """Go back to it, if no weight has moved since."""
        for name, buffer in state.net.named_buffers():
            buffer.copy_(self.buffers[name])
        for generator, drawn in zip(generators, self.drawn, strict=True):
            generator.set_state(drawn)
