"""Five accidents of images with pixels in [0, 1], after Hendrycks and Dietterich (2019)."""

from math import ceil

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.schema import Schema

Images = Float[Tensor, "batch channel height width"]


def noise(x: Images, schema: Schema, strength: float, rng: Generator) -> Images:
    """Add Gaussian noise of standard deviation `strength`."""
    return (x + strength * torch.randn(x.shape, generator=rng)).clamp(0, 1)


def blur(x: Images, schema: Schema, strength: float, rng: Generator) -> Images:
    """Blur with a Gaussian whose width is `strength` times the shorter side."""
    width = strength * min(x.shape[2:])
    reach = max(ceil(3 * width), 1)
    offsets = torch.arange(-reach, reach + 1, dtype=x.dtype)
    weights = (-0.5 * (offsets / width) ** 2).exp()
    weights = (weights / weights.sum()).expand(x.shape[1], 1, 1, -1)
    padded = F.pad(x, (reach, reach, reach, reach), mode="replicate")
    across = F.conv2d(padded, weights, groups=x.shape[1])
    return F.conv2d(across, weights.transpose(2, 3), groups=x.shape[1]).clamp(0, 1)


def brightness(x: Images, schema: Schema, strength: float, rng: Generator) -> Images:
    """Make each image brighter or darker by `strength`."""
    sign = torch.randint(2, (len(x), 1, 1, 1), generator=rng) * 2 - 1
    return (x + strength * sign).clamp(0, 1)


def contrast(x: Images, schema: Schema, strength: float, rng: Generator) -> Images:
    """Keep the share `strength` of each pixel's distance from the image's mean."""
    mean = x.mean((1, 2, 3), keepdim=True)
    return (mean + strength * (x - mean)).clamp(0, 1)


def occlusion(x: Images, schema: Schema, strength: float, rng: Generator) -> Images:
    """Cover a grey rectangle whose sides are the share `strength` of the image's."""
    hidden = torch.ones(len(x), 1, 1, 1, dtype=torch.bool)
    for axis in (2, 3):
        side = x.shape[axis]
        length = max(round(strength * side), 1)
        first = torch.randint(side - length + 1, (len(x), 1, 1, 1), generator=rng)
        place = torch.arange(side).view([-1 if a == axis else 1 for a in range(4)])
        hidden = hidden & (place >= first) & (place < first + length)
    return torch.where(hidden, 0.5, x)
