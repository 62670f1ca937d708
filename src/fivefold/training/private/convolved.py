"""Weights of convolutions: the gradient of each example by the cheapest of two ways (Rochette et al., 2019)."""

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from fivefold.training.private.use import MOST_NUMBERS, Direct, formed, squared_norms

FEW = 64  # places of the output up to which patches are quicker than a convolution by groups, measured
PIECE = 2**20  # numbers in the patches that are made at once: they stay in the cache


class Shape(NamedTuple):
    """Everything about a convolution except its tensors, one number per spatial axis."""

    weight: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int


@dataclass
class Convolved:
    """A weight of a convolution.

    Attributes:
        x: `(row, channel, *space)`; an example may have several rows, one after another.
        slope: Gradient of the output.
        shape: The convolution.
        size: Number of examples.
    """

    x: Tensor
    slope: Tensor
    shape: Shape
    size: int

    @cached_property
    def squares(self) -> Float[Tensor, " batch"]:
        """Squared norm of each example's gradient."""
        step = max(1, MOST_NUMBERS // prod(self.shape.weight))
        rows = torch.arange(self.size, device=self.x.device).split(step)
        return torch.cat([squared_norms(self.take(r).gradients.flatten(1)) for r in rows])

    @property
    def is_light(self) -> bool:
        """Whether the gradients of all examples fit in memory."""
        return self.size * prod(self.shape.weight) <= MOST_NUMBERS

    @property
    def gradients(self) -> Float[Tensor, "batch ..."]:
        """The gradient of each example."""
        is_small = self.shape.groups == 1 and prod(self.slope.shape[2:]) <= FEW
        found = self._by_patches() if is_small else self._by_groups()
        if len(self.x) == self.size:
            return found
        return found.unflatten(0, (self.size, -1)).sum(1)

    def weighted(self, factor: Float[Tensor, " batch"]) -> Tensor:
        """Return the weighted sum of the gradients."""
        by_row = factor.to(self.slope.dtype).repeat_interleave(len(self.x) // self.size)
        scaled = self.slope * by_row.view(-1, *[1] * (self.slope.dim() - 1))
        return _weight_gradient(scaled, self.x, self.shape)

    def take(self, rows: Tensor) -> "Convolved":
        """Return the use of some of the examples."""
        x, slope = (
            t.unflatten(0, (self.size, -1))[rows].flatten(0, 1) for t in (self.x, self.slope)
        )
        return Convolved(x, slope, self.shape, len(rows))

    def _by_groups(self) -> Tensor:
        """One convolution in which each row has a group of channels to itself."""
        n = len(self.x)
        x, slope = (t.reshape(1, -1, *t.shape[2:]) for t in (self.x, self.slope))
        wide = (n * self.shape.weight[0], *self.shape.weight[1:])
        shape = self.shape._replace(weight=wide, groups=n * self.shape.groups)
        return _weight_gradient(slope, x, shape).view(n, *self.shape.weight)

    def _by_patches(self) -> Tensor:
        """A matrix product per row between the output's gradient and the patches that made it."""
        places, (out, channels, *kernel) = prod(self.slope.shape[2:]), self.shape.weight
        step = max(1, PIECE // (places * channels * prod(kernel)))
        found = [
            torch.bmm(slope.flatten(2), _patches(x, slope.shape[2:], self.shape))
            for x, slope in zip(self.x.split(step), self.slope.split(step), strict=True)
        ]
        made = torch.cat(found).view(-1, out, *kernel, channels)
        return made.movedim(-1, 2).contiguous()


def convolved(x: Tensor, slope: Tensor, shape: Shape, size: int) -> Convolved | Direct:
    """Return the use of a weight in a convolution, with the gradients of the examples if they fit."""
    made = Convolved(x, slope, shape, size)
    return formed(made.gradients) if made.is_light else made


def _patches(x: Tensor, places: torch.Size, shape: Shape) -> Float[Tensor, "row place number"]:
    """Return what each place of the output sees, with the channels last so that memory is read in runs."""
    sides = [side for p in reversed(shape.padding) for side in (p, p)]
    last = F.pad(x, sides).movedim(1, -1).contiguous()
    row, *steps, channel = last.stride()
    kernel = shape.weight[2:]
    seen = last.as_strided(
        (len(x), *places, *kernel, x.shape[1]),
        (
            row,
            *(s * t for s, t in zip(steps, shape.stride, strict=True)),
            *(s * d for s, d in zip(steps, shape.dilation, strict=True)),
            channel,
        ),
    )
    return seen.reshape(len(x), prod(places), -1)


def _weight_gradient(slope: Tensor, x: Tensor, shape: Shape) -> Tensor:
    """Return the gradient of a convolution's weight, summed over rows."""
    stride, padding, dilation = (list(v) for v in (shape.stride, shape.padding, shape.dilation))
    return torch.ops.aten.convolution_backward(
        slope, x, x.new_empty(1).expand(shape.weight), None, stride, padding, dilation,
        False, [0] * len(stride), shape.groups, [False, True, False],
    )[1]  # fmt: skip


def same_padding(kernel: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the padding that keeps the size, or None if both sides would differ."""
    total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return None if any(t % 2 for t in total) else tuple(t // 2 for t in total)
