"""One pass through the network, and from it both the answer and the detector's score.

Between two small products a processor has forgotten everything else, and each operation costs five times
what it does alone. So the layers are called as plain functions, and head and detector share one product.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fivefold.core.model import Model
from fivefold.deploy.server.call import Answer
from fivefold.models.torch import TorchModel
from fivefold.security.detector import FittedMahalanobis

Floats: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Layer: TypeAlias = Callable[[Tensor], Tensor]
Work: TypeAlias = Callable[[Tensor], Answer]


def forward_of(model: Model, detector: FittedMahalanobis | None) -> Work:
    """Return the function that the server asks; with a detector it also scores."""
    if not isinstance(model, TorchModel):
        return lambda x: Answer(outputs=model.predict(x).float().numpy())
    if detector is None:
        return _plain(leaves(model.net))
    trunk, head = leaves(model.trunk()), list(model.net.children())[-1]
    if type(head) is nn.Linear and not has_hooks(head):
        return _joined(trunk, head, detector)
    return _apart(trunk, leaves(head), detector)


def _plain(layers: list[Layer]) -> Work:
    @torch.inference_mode()
    def work(x: Tensor) -> Answer:
        return Answer(outputs=_through(layers, x).numpy())

    return work


def _apart(trunk: list[Layer], head: list[Layer], detector: FittedMahalanobis) -> Work:
    @torch.inference_mode()
    def work(x: Tensor) -> Answer:
        features = _through(trunk, x)
        scores = detector.distance(features).numpy()
        return Answer(outputs=_through(head, features).numpy(), scores=scores)

    return work


def _joined(trunk: list[Layer], head: nn.Linear, detector: FittedMahalanobis) -> Work:
    """Return the pass in which one product gives logits, whitened features and their part of the distances.

    The squared distance to a mean m is |z|^2 - 2 z.m + |m|^2; z is counted from the middle of the means, so
    that little is lost in single precision.
    """
    n, d = head.out_features, head.in_features
    middle = detector.means.mean(0)
    means = detector.means - middle
    weight = torch.cat([detector.whiten.T, -2 * means @ detector.whiten.T])
    bias = torch.cat([-middle, 2 * means @ middle + means.square().sum(1)])
    own = torch.zeros(n) if vars(head)["_parameters"]["bias"] is None else head.bias
    weight = torch.cat([head.weight.detach().double(), weight]).float()
    bias = torch.cat([own.detach().double(), bias]).float()

    @torch.inference_mode()
    def work(x: Tensor) -> Answer:
        found = functional.linear(_through(trunk, x), weight, bias).numpy()
        z = found[:, n : n + d]
        scores = np.vecdot(z, z) + found[:, n + d :].min(1)
        return Answer(outputs=found[:, :n], scores=scores)

    return work


def leaves(net: nn.Module) -> list[Layer]:
    """Return the layers in their order as plain functions, without the cost of calling modules."""
    if type(net) is nn.Sequential and not has_hooks(net):
        return [layer for child in net for layer in leaves(child)]
    if has_hooks(net):
        return [net]
    return [_bare(net) or net.forward]


def has_hooks(net: nn.Module) -> bool:
    """Return whether calling `net` does more than its `forward`."""
    return bool(vars(net)["_forward_hooks"] or vars(net)["_forward_pre_hooks"])


def _bare(layer: Any) -> Layer | None:
    """Return what `layer.forward` does for the commonest layers, without the way there; None for others."""
    if type(layer) is nn.Linear:
        return partial(functional.linear, weight=layer.weight, bias=layer.bias)
    if type(layer) is nn.ReLU:
        return torch.relu
    if type(layer) is nn.Conv2d and layer.padding_mode == "zeros" and isinstance(layer.padding, tuple):  # fmt: skip
        return partial(
            torch.conv2d, weight=layer.weight, bias=layer.bias, stride=layer.stride,
            padding=layer.padding, dilation=layer.dilation, groups=layer.groups,
        )  # fmt: skip
    if type(layer) is nn.MaxPool2d and not layer.return_indices:
        return partial(
            torch.max_pool2d, kernel_size=layer.kernel_size, stride=layer.stride,
            padding=layer.padding, dilation=layer.dilation, ceil_mode=layer.ceil_mode,
        )  # fmt: skip
    return None


def _through(layers: list[Layer], x: Tensor) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x
