"""Pieces of an image that follow its colours (Achanta et al., 2012, SLIC), always the same for the same image."""

from math import ceil, sqrt

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fivefold.perturb.mask import Groups

ROUNDS = 10  # of moving the centres
TIGHTNESS = 0.1  # what one spacing of the centres weighs against a colour from black to white
ROOM = 2**22  # distances held at one time


def superpixel_groups(image: Float[Tensor, "channel height width"], n: int) -> Groups:
    """Return about `n` connected pieces of one image, each of all channels, as the features.

    A piece is named after its pixel in the middle (row, column).

    Args:
        image: Pixels in [0, 1].
        n: How many pieces; there may be somewhat fewer or more.
    """
    label = _ordered(_connected(_clustered(image.double(), n)))
    channels, _, width = image.shape
    names = tuple(f"{at // width},{at % width}" for at in _middles(label))
    member = label.flatten().repeat(channels)
    return Groups(names, member, (1, len(names)))


def _clustered(image: Float[Tensor, "channel height width"], n: int) -> Int[Tensor, "height width"]:
    """Return the centre nearest to each pixel, in colour and place."""
    _, height, width = image.shape
    spacing = max(1.0, sqrt(height * width / n))
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    place = torch.stack([row, column]).double() * (TIGHTNESS * sqrt(len(image)) / spacing)
    points = torch.cat([image, place]).flatten(1).T  # (pixels, channels + 2)
    centres = points[_grid(height, width, n)]
    label = torch.zeros(len(points), dtype=torch.int64)
    for _ in range(ROUNDS):
        parts = points.split(max(1, ROOM // len(centres)))
        label = torch.cat([torch.cdist(part, centres).argmin(1) for part in parts])
        count = label.bincount(minlength=len(centres))
        total = torch.zeros_like(centres).index_add_(0, label, points)
        centres = torch.where(count[:, None] > 0, total / count.clamp(min=1)[:, None], centres)
    return label.view(height, width)


def _grid(height: int, width: int, n: int) -> Int[Tensor, " centres"]:
    """Return the pixels at the middles of about `n` equal fields."""
    down = min(height, max(1, round(sqrt(n * height / width))))
    across = min(width, max(1, ceil(n / down)))
    rows = ((torch.arange(down) + 0.5) * height / down).long()
    columns = ((torch.arange(across) + 0.5) * width / across).long()
    return (rows[:, None] * width + columns).flatten()


def _connected(label: Int[Tensor, "height width"]) -> Int[Tensor, "height width"]:
    """Return labels whose pixels hang together: what is cut off from the largest part joins a neighbour."""
    part = _parts(label)
    size = part.flatten().bincount(minlength=part.numel())
    found = torch.full_like(label, -1)
    for one in label.unique().tolist():
        ids = part[label == one].unique()
        found[part == ids[size[ids].argmax()]] = one
    while bool((found < 0).any()):
        for beside in _neighbours(found, fill=-1):
            found = torch.where(found < 0, beside, found)
    return found


def _parts(label: Int[Tensor, "height width"]) -> Int[Tensor, "height width"]:
    """Return a number for each connected part: the smallest position in it, passed on until nothing changes."""
    part = torch.arange(label.numel()).view(label.shape)
    while True:
        least = part
        sides = zip(_neighbours(label, fill=-1), _neighbours(part, fill=0), strict=True)
        for beside, number in sides:
            least = torch.where(beside == label, torch.minimum(least, number), least)
        least = least.flatten()[least]  # follow the number to what it now stands for
        if torch.equal(least, part):
            return part
        part = least


def _neighbours(values: Int[Tensor, "height width"], *, fill: int) -> list[Tensor]:
    """Return the values above, below, to the left and to the right of each pixel."""
    found: list[Tensor] = []
    for axis in (0, 1):
        edge = torch.full_like(values.narrow(axis, 0, 1), fill)
        length = values.shape[axis] - 1
        found.append(torch.cat([edge, values.narrow(axis, 0, length)], axis))
        found.append(torch.cat([values.narrow(axis, 1, length), edge], axis))
    return found


def _ordered(label: Int[Tensor, "height width"]) -> Int[Tensor, "height width"]:
    """Return the same pieces, numbered as they are met in reading order."""
    flat = label.flatten()
    known = flat.unique()
    first = torch.stack([(flat == one).nonzero()[0, 0] for one in known])
    rank = torch.zeros(int(known.max()) + 1, dtype=torch.int64)
    rank[known[first.argsort()]] = torch.arange(len(known))
    return rank[label]


def _middles(label: Int[Tensor, "height width"]) -> list[int]:
    """Return the pixel of each piece that is nearest to its mean place."""
    width, found = label.shape[1], []
    for one in range(int(label.max()) + 1):
        at = (label.flatten() == one).nonzero()[:, 0]
        place = torch.stack([at // width, at % width], 1).double()
        found.append(int(at[(place - place.mean(0)).square().sum(1).argmin()]))
    return found
