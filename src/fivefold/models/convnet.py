"""A small convolutional network in the manner of AlexNet (Krizhevsky, Sutskever and Hinton, 2012)."""

from collections import OrderedDict
from dataclasses import dataclass

from torch import Generator, nn

from fivefold.core.limits import Count
from fivefold.core.schema import Schema
from fivefold.core.task import Task
from fivefold.models.image import image_shape
from fivefold.models.initialize import built
from fivefold.models.prepare import PrepareImage

SMALLEST = 4  # pixels on a side that the last stage still halves to two


@dataclass(frozen=True, kw_only=True)
class ConvNet:
    """Stages of convolution, ReLU and pooling, then two dense layers. No dropout: it draws globally.

    Each stage doubles the channels and halves the image, until it is too small to halve or there are
    three stages.

    Attributes:
        width: Channels of the first stage.
        hidden: Width of the dense layer before the head.
    """

    width: Count = 16
    hidden: Count = 64

    def build(self, schema: Schema, task: Task, rng: Generator) -> nn.Module:
        """Return an untrained network: `prepare`, `body`, `head`.

        Raises:
            BadInput: The inputs are not images.
        """
        channels, height, width = image_shape(schema, "ConvNet")

        def make() -> nn.Sequential:
            body, n_features = self._body(channels, height, width)
            head = nn.Linear(self.hidden, task.n_outputs)
            dense = nn.Sequential(
                *body, nn.Flatten(), nn.Linear(n_features, self.hidden), nn.ReLU()
            )
            return nn.Sequential(OrderedDict(prepare=PrepareImage(), body=dense, head=head))

        return built(make, rng)

    def _body(self, channels: int, height: int, width: int) -> tuple[list[nn.Module], int]:
        """Return the convolutional layers and how many numbers come out of them."""
        layers: list[nn.Module] = []
        for stage in range(3):
            out = self.width * 2**stage
            layers += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU()]
            channels = out
            if min(height, width) >= SMALLEST:
                layers.append(nn.MaxPool2d(2))
                height, width = height // 2, width // 2
        return layers, channels * height * width
