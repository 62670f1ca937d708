"""Hidden parts of an image are blurred (Fong and Vedaldi, 2017, arXiv 1704.03296)."""

from dataclasses import dataclass
from math import ceil

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d, pad

from fivefold.core.errors import NotMeasurable
from fivefold.core.limits import Positive
from fivefold.core.schema import Schema
from fivefold.perturb import Behind, Hidden

REACH = 3  # standard deviations of the blur that count


@dataclass(frozen=True, kw_only=True)
class BlurRemoval:
    """A hidden part of an image shows the image blurred: the detail is gone, the colours stay.

    Each image is its own background, so the base is what the model says of the blurred image.

    Attributes:
        width: Standard deviation of the blur in pixels; 0.1 of the shorter side of the image suits most.
    """

    width: Positive = 4.0

    def behind(self, schema: Schema, background: Float[Tensor, "background ..."]) -> Behind:
        """Return the blur; the background is not used.

        Raises:
            NotMeasurable: The inputs are not images.
        """
        if schema.is_table or schema.is_text or len(schema.shape) != 3:
            raise NotMeasurable(
                "Only images can be blurred.", mend="Use MarginalRemoval or BaselineRemoval."
            )

        def given(x: Tensor, kept: Tensor, which: Tensor) -> Hidden:
            images = x.unflatten(1, schema.shape)
            return Hidden(blurred(images, self.width).flatten(1)[:, None].expand(-1, which.shape[1], -1))  # fmt: skip

        return Behind(background[:1], given=given, is_own=True)


def blurred(
    images: Float[Tensor, "batch channel height width"], width: float
) -> Float[Tensor, "batch channel height width"]:
    """Return images behind a Gaussian blur; beyond the edge the outermost pixel goes on."""
    for axis in (2, 3):
        reach = min(ceil(REACH * width), images.shape[axis] * REACH)
        at = torch.arange(-reach, reach + 1, dtype=images.dtype)
        kernel = torch.exp(-((at / width) ** 2) / 2)
        sides = (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0)
        shape = (1, 1, -1, 1) if axis == 2 else (1, 1, 1, -1)
        flat = pad(images.flatten(0, 1)[:, None], sides, mode="replicate")
        images = conv2d(flat, (kernel / kernel.sum()).reshape(shape)).reshape(images.shape)
    return images
