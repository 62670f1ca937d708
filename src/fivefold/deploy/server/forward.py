"""One pass through the trunk, and from it both the answer and the detector's score."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from fivefold.core.model import Model
from fivefold.deploy.server.call import Answer
from fivefold.models.torch import TorchModel
from fivefold.security.detector import FittedMahalanobis


def forward_of(model: Model, detector: FittedMahalanobis | None) -> Callable[[Tensor], Answer]:
    """Return the function that the server asks; with a detector it also scores."""
    if not isinstance(model, TorchModel):
        return lambda x: Answer(outputs=model.predict(x).float().numpy())
    if detector is None:
        return _plain(model.net)
    trunk, head = model.trunk(), list(model.net.children())[-1]
    return _scored(trunk, head, detector)


def _plain(net: nn.Module) -> Callable[[Tensor], Answer]:
    @torch.inference_mode()
    def work(x: Tensor) -> Answer:
        return Answer(outputs=net(x).numpy())

    return work


def _scored(
    trunk: nn.Module, head: nn.Module, detector: FittedMahalanobis
) -> Callable[[Tensor], Answer]:
    @torch.inference_mode()
    def work(x: Tensor) -> Answer:
        features = trunk(x)
        return Answer(outputs=head(features).numpy(), scores=detector.distance(features).numpy())

    return work
