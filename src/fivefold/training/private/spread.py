"""Weights that are broadcast over the batch: a copy per example, whose gradient is the example's own."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fivefold.training.private.layers import wide
from fivefold.training.private.layout import Place
from fivefold.training.private.tap import Call, Rule, Tap, Tracked
from fivefold.training.private.use import Direct
from fivefold.training.private.watch import tensors

OF_PAIRS = (
    "add", "sub", "mul", "div", "true_divide", "pow", "maximum", "minimum", "where", "lerp",
    "addcmul", "add_", "sub_", "mul_", "div_", "__add__", "__radd__", "__iadd__", "__sub__",
    "__rsub__", "__mul__", "__rmul__", "__imul__", "__truediv__", "__rtruediv__", "__pow__",
    "__rpow__", "subtract", "multiply", "divide", "rsub",
)  # fmt: skip


def of_pairs(tap: Tap, call: Call) -> Tensor:
    """A function of numbers at the same place, such as `x + weight`."""
    place = tap.place(call)
    shape = torch.broadcast_shapes(*(t.shape for t in tensors((call.args, call.kwargs))))
    return call.replaced({id(o.tensor): _spread(tap, call, o, place, shape) for o in call.owners})


def repeated(tap: Tap, call: Call) -> Tensor:
    """`weight.expand(batch, ...)` and its like."""
    place, owner = tap.place(call), call.owners[0]
    call.expected(owner)
    shape = call.replaced({id(owner.tensor): owner.tensor.detach()}).shape
    spread = _spread(tap, call, owner, place, shape)
    if call.key[1] in ("repeat", "tile") and spread.numel() != shape.numel():
        raise call.unknown()
    return spread.expand(shape).clone()


def _spread(tap: Tap, call: Call, owner: Tracked, place: Place, shape: Sequence[int]) -> Tensor:
    """Return `owner` with an axis for the examples, as a leaf that tells its gradient."""
    plain = owner.tensor.detach()
    padded = [1] * (len(shape) - plain.dim()) + [*plain.shape]
    if padded[place.axis] != 1 or len(padded) != len(shape):
        raise call.unknown()
    wanted = [*padded]
    wanted[place.axis] = shape[place.axis]
    leaf = plain.reshape(padded).expand(wanted).requires_grad_()

    def record(slope: Tensor) -> None:
        rows = wide(place.front(slope, tap.size))
        rows = rows.sum(1) if place.is_shared else rows
        owner.uses.append(Direct(rows.reshape(tap.size, *plain.shape)))

    return tap.tap(leaf, record)


OF_ONE = ("expand", "expand_as", "repeat", "broadcast_to", "tile")
SPREAD: dict[str, Rule] = {n: of_pairs for n in OF_PAIRS} | {n: repeated for n in OF_ONE}
