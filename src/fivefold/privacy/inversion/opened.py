"""A network behind its preparation of inputs, and the way back from prepared values to the user's own."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fivefold.core.data import Batch
from fivefold.core.schema import Schema
from fivefold.models.prepare import PrepareImage, PrepareTable
from fivefold.privacy.federated.local import prepared

IS_THERE = 0.5  # an indicator above it says yes


@dataclass(frozen=True)
class Opened:
    """What is attacked: `body` eats prepared values, and `front` made them.

    Attributes:
        body: The network behind the layers that never change.
        front: Those layers, in order.
        schema: What the user's rows are.
    """

    body: nn.Module
    front: tuple[nn.Module, ...]
    schema: Schema

    @torch.no_grad()
    def encode(self, x: Float[Tensor, "row ..."]) -> Float[Tensor, "row ..."]:
        """Return what the body reads of the user's rows."""
        for layer in self.front:
            x = layer(x)
        return x

    @torch.no_grad()
    def decode(self, z: Float[Tensor, "row ..."]) -> Float[Tensor, "row ..."]:
        """Return the user's rows of which the body would read `z`, as nearly as there are any."""
        for layer in reversed(self.front):
            if isinstance(layer, PrepareImage):
                z = (z + 1) / 2
            elif isinstance(layer, PrepareTable):
                z = _columns(layer, z)
            elif isinstance(layer, nn.Flatten):
                z = z.reshape(len(z), *self.schema.shape)
        return z


def opened(net: nn.Module, schema: Schema, example: Batch) -> Opened:
    """Return `net` as what never changes and the rest."""
    body, _ = prepared(net, example)
    n_left = len(list(body.children())) if isinstance(body, nn.Sequential) else 0
    is_cut = body is not net and isinstance(net, nn.Sequential)
    front = list(net.children())[: len(list(net.children())) - n_left] if is_cut else []
    return Opened(body, tuple(leaf for layer in front for leaf in _leaves(layer)), schema)


def _leaves(layer: nn.Module) -> Iterator[nn.Module]:
    if type(layer) is nn.Sequential:
        for inner in layer.children():
            yield from _leaves(inner)
    else:
        yield layer


def _columns(layer: PrepareTable, z: Float[Tensor, "row width"]) -> Float[Tensor, "row column"]:
    """Return the columns whose prepared values are nearest to `z`."""
    x = z.new_zeros(len(z), len(layer.schema.columns))
    n = len(layer.number)
    x[:, layer.number] = z[:, :n] * layer.scale + layer.center
    for i, size in layer.sizes:
        x[:, i] = z[:, n : n + size].argmax(1).to(x.dtype)
        n += size
    gone = z[:, n:] > IS_THERE
    for i, column in enumerate(layer.optional.tolist()):
        x[:, column] = x[:, column].masked_fill(gone[:, i], torch.nan)
    return x
