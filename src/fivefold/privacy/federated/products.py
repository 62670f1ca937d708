"""Linear layers with ReLU or tanh for many clients: batched matrix products, differentiated by hand."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fivefold.core.data import Batch, as_tensor
from fivefold.privacy.federated.layout import Layout
from fivefold.privacy.federated.move import Move


class Layer(NamedTuple):
    """A layer and the name of its weights."""

    name: str
    module: nn.Module


class Slope(NamedTuple):
    """The gradient of a linear layer, as the factors of a product: slopes of its outputs, and its inputs."""

    name: str
    outputs: Float[Tensor, "client batch output"]
    inputs: Float[Tensor, "client batch feature"]


@dataclass(frozen=True)
class Products:
    """A chain of layers whose gradients are written out; moving the weights is part of the last product."""

    layers: tuple[Layer, ...]
    layout: Layout
    is_classification: bool

    @torch.no_grad()
    def move(self, weights: Float[Tensor, "client weight"], batch: Move) -> None:
        """Take one step, in place."""
        own = self.layout.views(weights)
        values = self._values(own, as_tensor(batch.x))
        error = self._error(values[-1], batch.y, batch.share)
        slopes = self._slopes(own, values, error)
        if batch.pull is not None:
            weights.sub_(batch.pull, alpha=batch.lr)
        for name, outputs, inputs in slopes:
            own[f"{name}.weight"].baddbmm_(outputs.mT, inputs, alpha=-batch.lr)
            if f"{name}.bias" in own:
                own[f"{name}.bias"].sub_(outputs.sum(1), alpha=batch.lr)

    def _values(self, own: dict[str, Tensor], x: Tensor) -> list[Tensor]:
        """Return what goes into each layer, and what comes out of the last."""
        values = [x]
        for name, layer in self.layers:
            value = values[-1]
            if isinstance(layer, nn.Linear):
                turned, bias = own[f"{name}.weight"].mT, own.get(f"{name}.bias")
                value = (
                    value @ turned if bias is None else torch.baddbmm(bias[:, None], value, turned)
                )
            else:
                value = value.relu() if isinstance(layer, nn.ReLU) else value.tanh()
            values.append(value)
        return values

    def _error(self, output: Tensor, y: Tensor, share: Tensor) -> Tensor:
        """Return the slope of the loss by the outputs."""
        if not self.is_classification:
            gap = output[..., 0] - y
            error = torch.zeros_like(output)
            error[..., 0] = 2 * gap * share
            return error
        error = output.softmax(-1)
        error.scatter_add_(-1, y[..., None], error.new_full((*y.shape, 1), -1.0))
        return error.mul_(share[..., None])

    def _slopes(self, own: dict[str, Tensor], values: list[Tensor], error: Tensor) -> list[Slope]:
        slopes: list[Slope] = []
        first = next(i for i, (_, m) in enumerate(self.layers) if isinstance(m, nn.Linear))
        for i in range(len(self.layers) - 1, first - 1, -1):
            name, layer = self.layers[i]
            if isinstance(layer, nn.Linear):
                slopes.append(Slope(name, error, values[i]))
                error = error if i == first else torch.bmm(error, own[f"{name}.weight"])
            elif isinstance(layer, nn.ReLU):
                error = error * (values[i + 1] > 0)
            else:
                error = error * (1 - values[i + 1].square())
        return slopes


def products_of(
    net: nn.Module, data: Batch, layout: Layout, is_classification: bool
) -> Products | None:
    """Return the engine for `net`, or None if it is anything but a chain of known layers, all trained."""
    layers = chain(net)
    own = {f"{n}.{p}" for n, m in layers for p, _ in m.named_parameters()}
    are_known = all(type(m) in (nn.Linear, nn.ReLU, nn.Tanh) for _, m in layers)
    is_flat = isinstance(data.x, Tensor) and data.x.dim() == 2 and data.x.is_floating_point()
    modules = [m for _, m in layers if isinstance(m, nn.Linear)]
    are_apart = len({id(m) for m in modules}) == len(modules)
    if not (are_known and is_flat and are_apart and modules and own == set(layout.names)):
        return None
    return Products(layers, layout, is_classification)


def chain(net: nn.Module, prefix: str = "") -> tuple[Layer, ...]:
    """Return the layers of nested `Sequential`s in order, with their names."""
    if type(net) is not nn.Sequential:
        return (Layer(prefix.removesuffix("."), net),)
    return tuple(one for n, m in net.named_children() for one in chain(m, f"{prefix}{n}."))
