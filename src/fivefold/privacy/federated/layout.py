"""The trainable weights of a network as one row of numbers, so that many clients are one matrix."""

from math import prod
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Layout(NamedTuple):
    """Where each weight lies in a row."""

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    @property
    def width(self) -> int:
        """Number of weights."""
        return sum(prod(s) for s in self.shapes)

    def views(self, rows: Float[Tensor, "client weight"]) -> dict[str, Tensor]:
        """Return the weights of all clients by name, `(client, ...)`; they share memory with `rows`."""
        parts = rows.split([prod(s) for s in self.shapes], dim=1)
        named = zip(self.names, parts, self.shapes, strict=True)
        return {n: p.view(len(rows), *s) for n, p, s in named}


def layout_of(net: nn.Module) -> Layout:
    """Return the layout of what is trainable in `net`."""
    weights = {n: w for n, w in net.named_parameters() if w.requires_grad}
    return Layout(tuple(weights), tuple(tuple(w.shape) for w in weights.values()))


@torch.no_grad()
def read(net: nn.Module, layout: Layout) -> Float[Tensor, " weight"]:
    """Return a copy of the weights of `net`."""
    named = dict(net.named_parameters())
    return torch.cat([named[n].flatten() for n in layout.names])


@torch.no_grad()
def write(net: nn.Module, layout: Layout, row: Float[Tensor, " weight"]) -> None:
    """Give `net` the weights in `row`."""
    named = dict(net.named_parameters())
    for name, value in layout.views(row[None]).items():
        named[name].copy_(value[0])
