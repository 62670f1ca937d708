"""Answers of many copies of a network, each with weights and rows of its own, differentiable in both."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, vmap

from fivefold.training.together import EACH_VALUE

CONVOLUTIONS = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
)  # stacked ones are grouped: slow to differentiate twice


def answers(
    body: nn.Module,
    weights: Mapping[str, Float[Tensor, "copy ..."]],
    x: Float[Tensor, "copy row ..."],
) -> Float[Tensor, "copy row output"]:
    """Return what each copy answers. Linear layers are one product for all copies, others are stacked."""
    layers = _linear_layers(body)
    if layers is not None and x.dim() == 3:
        for name, layer in layers:
            x = _product(layer, name, weights, x) if isinstance(layer, nn.Linear) else layer(x)
        return x

    def one(own: dict[str, Tensor], rows: Tensor) -> Tensor:
        return functional_call(body, own, (rows,))

    if not any(isinstance(layer, CONVOLUTIONS) for layer in body.modules()):
        try:
            return vmap(one)(dict(weights), x)
        except RuntimeError:  # an operation that cannot be stacked
            pass
    return torch.stack([one({n: w[i] for n, w in weights.items()}, x[i]) for i in range(len(x))])


def _linear_layers(net: nn.Module, prefix: str = "") -> list[tuple[str, nn.Module]] | None:
    """Return the layers of nested `Sequential`s with their names; None if there are others than known."""
    if type(net) is not nn.Sequential:
        is_known = type(net) is nn.Linear or isinstance(net, EACH_VALUE)
        return [(prefix, net)] if is_known else None
    found: list[tuple[str, nn.Module]] = []
    for name, child in net.named_children():
        inner = _linear_layers(child, f"{prefix}{name}.")
        if inner is None:
            return None
        found += inner
    return found


def _product(
    layer: nn.Linear, name: str, weights: Mapping[str, Tensor], x: Float[Tensor, "copy row feature"]
) -> Float[Tensor, "copy row output"]:
    own = weights.get(f"{name}weight")
    turned = layer.weight.detach().T.expand(len(x), -1, -1) if own is None else own.transpose(1, 2)
    bias = weights.get(f"{name}bias")
    if bias is None:
        fixed = dict(layer.named_parameters()).get("bias")
        return x.bmm(turned) + (0.0 if fixed is None else fixed.detach())
    return torch.baddbmm(bias[:, None], x, turned)
