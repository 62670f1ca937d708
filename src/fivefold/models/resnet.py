"""A residual network (He et al., 2016) with group normalisation (Wu and He, 2018)."""

from collections import OrderedDict
from dataclasses import dataclass
from math import gcd

from torch import Generator, nn

from fivefold.core.limits import Count
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.models.image import image_shape
from fivefold.models.initialize import built
from fivefold.models.prepare import PrepareImage
from fivefold.models.residual import Residual


@dataclass(frozen=True, kw_only=True)
class ResNet:
    """Stages of residual blocks; each stage after the first doubles the channels and halves the image.

    Group normalisation looks at one example at a time, so that it can be trained privately, and answers
    do not depend on what else is in the batch.

    Attributes:
        width: Channels of the first stage.
        blocks: Residual blocks in each stage.
    """

    width: Count = 16
    blocks: tuple[Count, ...] = (1, 1, 1)

    def __post_init__(self) -> None:
        if not self.blocks:
            raise ValueError("ResNet needs at least one stage in blocks.")

    def build(self, schema: Schema, task: Task, rng: Generator) -> nn.Module:
        """Return an untrained network: `prepare`, `body`, `head`.

        Raises:
            BadInput: The inputs are not images.
        """
        channels, _, _ = image_shape(schema, "ResNet")

        def make() -> nn.Sequential:
            body = nn.Sequential(*self._layers(channels), nn.AdaptiveAvgPool2d(1), nn.Flatten())
            head = nn.Linear(self.width * 2 ** (len(self.blocks) - 1), task.n_outputs)
            return nn.Sequential(OrderedDict(prepare=PrepareImage(), body=body, head=head))

        return built(make, rng)

    def _layers(self, channels: int) -> list[nn.Module]:
        layers: list[nn.Module] = [*_convolution(channels, self.width, 1), nn.ReLU()]
        inside = self.width
        for stage, n_blocks in enumerate(self.blocks):
            out = self.width * 2**stage
            for block in range(n_blocks):
                layers.append(residual_block(inside, out, 2 if stage and not block else 1))
                inside = out
        return layers


def residual_block(inside: int, out: int, stride: int) -> Residual:
    """Return two convolutions with a shortcut around them; the shortcut is a convolution where shapes differ."""
    body = nn.Sequential(*_convolution(inside, out, stride), nn.ReLU(), *_convolution(out, out, 1))
    if inside == out and stride == 1:
        return Residual(body, nn.Identity())
    shortcut = nn.Sequential(
        nn.Conv2d(inside, out, 1, stride=stride, bias=False), nn.GroupNorm(_groups(out), out)
    )
    return Residual(body, shortcut)


def _convolution(inside: int, out: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inside, out, 3, stride=stride, padding=1, bias=False)
    return [convolution, nn.GroupNorm(_groups(out), out)]


def _groups(channels: int) -> int:
    return gcd(8, channels)
