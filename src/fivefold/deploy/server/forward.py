"""One pass through the trunk, and from it both the answer and the detector's score."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from fivefold.core.model import Model
from fivefold.deploy.server.call import Answer
from fivefold.models.torch import TorchModel
from fivefold.security.detector import FittedMahalanobis

Floats: TypeAlias = np.ndarray[Any, np.dtype[Any]]


def forward_of(model: Model, detector: FittedMahalanobis | None) -> Callable[[Tensor], Answer]:
    """Return the function that the server asks; with a detector it also scores."""
    if not isinstance(model, TorchModel):
        return lambda x: Answer(outputs=model.predict(x).float().numpy())
    if detector is None:
        return _plain(model.net)
    trunk, head = model.trunk(), list(model.net.children())[-1]
    return _scored(trunk, head, detector)


def _plain(net: nn.Module) -> Callable[[Tensor], Answer]:
    layers = leaves(net)

    @torch.inference_mode()
    def work(x: Tensor) -> Answer:
        return Answer(outputs=_through(layers, x).numpy())

    return work


def _scored(
    trunk: nn.Module, head: nn.Module, detector: FittedMahalanobis
) -> Callable[[Tensor], Answer]:
    layers, last, distance = leaves(trunk), leaves(head), distance_of(detector)

    @torch.inference_mode()
    def work(x: Tensor) -> Answer:
        features = _through(layers, x)
        return Answer(outputs=_through(last, features).numpy(), scores=distance(features.numpy()))

    return work


def leaves(net: nn.Module) -> list[Callable[[Tensor], Tensor]]:
    """Return the layers in their order, without the cost of calling each as a module."""
    if type(net) is nn.Sequential and not has_hooks(net):
        return [layer for child in net for layer in leaves(child)]
    return [net if has_hooks(net) else net.forward]


def has_hooks(net: nn.Module) -> bool:
    """Return whether calling `net` does more than its `forward`."""
    return bool(vars(net)["_forward_hooks"] or vars(net)["_forward_pre_hooks"])


def distance_of(detector: FittedMahalanobis) -> Callable[[Floats], Floats]:
    """Return `detector.distance` in NumPy, whose small products cost a third of torch's."""
    whiten, means = detector.whiten.numpy(), detector.means.numpy()
    cross, length = -2 * means.T, np.square(means).sum(1)

    def distance(features: Floats) -> Floats:
        z = features.astype(np.float64) @ whiten
        nearest = (z @ cross + length).min(1) + np.einsum("ij,ij->i", z, z)
        return np.maximum(nearest, 0)

    return distance


def _through(layers: list[Callable[[Tensor], Tensor]], x: Tensor) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x
