"""Random views of an example, which are averaged before its gradient is clipped (De et al., 2022).

A view of one example never depends on another: the bound on what one example can do rests on that. So these
are all there are, and a recipe cannot bring its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.errors import BadInput
from fivefold.core.limits import Positive, Share
from fivefold.core.schema import Schema
from fivefold.perturb.table_accident import noise


@dataclass(frozen=True, kw_only=True)
class ShiftAndFlip:
    """Images moved a little in a random direction, and mirrored if that does not change what they show.

    Attributes:
        reach: Farthest move, as a share of the shorter side; what comes in is mirrored from the edge.
        flips: Whether left and right are exchanged in half of the views.
    """

    reach: Share = 0.125
    flips: bool = False

    def __call__(
        self, x: Float[Tensor, "batch channel height width"], schema: Schema, rng: Generator
    ) -> Float[Tensor, "batch channel height width"]:
        """Return a view of each image."""
        n, _, height, width = x.shape
        most = min(int(self.reach * min(height, width)), min(height, width) - 1)
        padded = F.pad(x, (most, most, most, most), mode="reflect")
        down, right = torch.randint(2 * most + 1, (2, n, 1), generator=rng)
        columns = torch.arange(width).expand(n, -1)
        if self.flips:
            is_flipped = torch.randint(2, (n, 1), generator=rng).bool()
            columns = torch.where(is_flipped, width - 1 - columns, columns)
        rows, columns = torch.arange(height) + down, columns + right
        place = torch.arange(n)[:, None, None]
        return padded[place, :, rows[:, :, None], columns[:, None, :]].movedim(3, 1)


@dataclass(frozen=True, kw_only=True)
class Jitter:
    """Rows of a table whose numbers are moved a little; categories and missing values stay.

    Attributes:
        strength: Standard deviation of the move, in units of each column's scale.
    """

    strength: Positive = 0.1

    def __call__(
        self, x: Float[Tensor, "batch columns"], schema: Schema, rng: Generator
    ) -> Float[Tensor, "batch columns"]:
        """Return a view of each row."""
        return noise(x, schema, self.strength, rng)


Change: TypeAlias = ShiftAndFlip | Jitter


def change_of(schema: Schema, wanted: Change | None, rng: Generator) -> Callable[[Any], Any]:
    """Return what makes a view of the inputs of a batch.

    Args:
        schema: What the inputs are.
        wanted: The kind of view; None for a small shift of images.
        rng: Source of the views. It must be secret: whoever knew the view that each row of a batch gets could
            tell how many rows came before it.

    Raises:
        BadInput: These inputs have no such views.
    """
    is_image = not schema.is_text and not schema.is_table and len(schema.shape) == 3
    change = ShiftAndFlip() if wanted is None and is_image else wanted
    fits = is_image if isinstance(change, ShiftAndFlip) else schema.is_table
    if change is None or not fits:
        raise BadInput(
            "Nobody has said what a view of such an example is.",
            where="change",
            mend='Use "privacy.ShiftAndFlip" for images, "privacy.Jitter" for tables, or views = 1.',
        )
    return lambda x: change(x.cpu(), schema, rng).to(x.device)  # noise is drawn on the CPU
