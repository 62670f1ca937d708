"""What the layers of torch tell of their weights in a backward pass."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fivefold.training.private.convolved import Shape, convolved, same_padding
from fivefold.training.private.lookup import Lookup
from fivefold.training.private.tap import Call, Rule, Tap
from fivefold.training.private.use import Direct, product


def linear(tap: Tap, call: Call) -> Tensor:
    """`x @ weight.T + bias`, for any number of positions."""
    x, weight, bias = call.bound("input", "weight", "bias")
    return _product(tap, call, (x, weight, bias), is_turned=True)


def matmul(tap: Tap, call: Call) -> Tensor:
    """`x @ weight`."""
    x, weight = call.bound("input", "other") if call.kwargs else call.args
    return _product(tap, call, (x, weight, None), is_turned=False)


def addmm(tap: Tap, call: Call) -> Tensor:
    """`bias + x @ weight`."""
    bias, x, weight = call.bound("input", "mat1", "mat2")
    return _product(tap, call, (x, weight, bias), is_turned=False)


def _product(tap: Tap, call: Call, given: Any, *, is_turned: bool) -> Tensor:
    x, weight, bias = given
    owner, shift, place = call.owner(weight), call.owner(bias), tap.place(call)
    call.expected(owner, shift)
    if weight.dim() != 2 or place.axis == x.dim() - 1:
        raise call.unknown()
    plain = weight.detach() if is_turned else weight.detach().T
    y, saved = F.linear(x, plain, None if bias is None else bias.detach()), x.detach()

    def record(slope: Tensor) -> None:
        g = positions(place.front(slope, tap.size))
        whole = None if shift is None else Direct(over_positions(g))
        if shift is not None and whole is not None:
            shift.uses.append(whole)
        if owner is not None:
            a = positions(place.front(saved, tap.size))
            beside = whole if is_turned and g.shape[1] == 1 else None
            owner.uses.append(product(g, a, beside) if is_turned else product(a, g))

    return tap.tap(y, record, saved)


def convolution(tap: Tap, call: Call) -> Tensor:
    """A convolution over one, two or three axes, with groups, stride, padding and dilation."""
    x, weight, bias, *options = call.bound(
        "input", "weight", "bias", "stride", "padding", "dilation", "groups"
    )
    owner, shift, place = call.owner(weight), call.owner(bias), tap.place(call)
    call.expected(owner, shift)
    shape = _shape(weight, *options)
    if shape is None or place.axis != 0 or not place.is_together or x.dim() != weight.dim():
        raise call.unknown()
    y = call.replaced({id(o.tensor): o.tensor.detach() for o in call.owners})
    saved = x.detach()

    def record(slope: Tensor) -> None:
        place.front(slope, tap.size)
        if owner is not None:
            owner.uses.append(convolved(wide(saved), wide(slope), shape, tap.size))
        if shift is not None:
            rows = wide(slope).flatten(2).sum(2)
            shift.uses.append(Direct(over_positions(positions(place.front(rows, tap.size)))))

    return tap.tap(y, record, saved)


def _shape(weight: Tensor, stride: Any, padding: Any, dilation: Any, groups: Any) -> Shape | None:
    def each(value: Any, default: int) -> tuple[int, ...]:
        value = default if value is None else value
        n = weight.dim() - 2
        found = tuple(value) if isinstance(value, tuple | list) else (value,)
        return found * n if len(found) == 1 else found

    wide_by = each(dilation, 1)
    if isinstance(padding, str):
        sides = same_padding(tuple(weight.shape[2:]), wide_by)
        padding = 0 if padding == "valid" else sides
        if padding is None:
            return None
    return Shape(tuple(weight.shape), each(stride, 1), each(padding, 0), wide_by, groups or 1)


def embedding(tap: Tap, call: Call) -> Tensor:
    """Rows of a weight, picked by index."""
    rows, weight, padding, norm, _, by_frequency, _ = call.bound(
        "input", "weight", "padding_idx", "max_norm", "norm_type", "scale_grad_by_freq", "sparse"
    )
    if norm is not None or by_frequency:
        raise call.unknown()
    return _picked(tap, call, rows, weight, padding)


def item(tap: Tap, call: Call) -> Tensor:
    """`weight[rows]`."""
    weight, rows = call.args
    if not isinstance(rows, Tensor) or rows.is_floating_point() or rows.dtype == torch.bool:
        raise call.unknown()
    return _picked(tap, call, rows, weight, None)


def _picked(tap: Tap, call: Call, rows: Tensor, weight: Tensor, padding: int | None) -> Tensor:
    owner, place, n = call.owner(weight), tap.place(call), len(weight)
    call.expected(owner)
    if owner is None or place.axis >= rows.dim():
        raise call.unknown()
    plain, saved = weight.detach(), rows.detach()
    y = F.embedding(rows, plain) if plain.dim() == 2 else plain[rows]

    def record(slope: Tensor) -> None:
        index = place.front(saved, tap.size).reshape(tap.size, -1) % n
        g = wide(place.front(slope, tap.size).reshape(*index.shape, -1))
        if padding is not None:
            g = g * (index != padding % n)[..., None]
        owner.uses.append(Lookup(index, g, n))

    return tap.tap(y, record, saved)


def prelu(tap: Tap, call: Call) -> Tensor:
    """A slope below zero, for each channel or for all."""
    x, weight = call.bound("input", "weight")
    owner, place = call.owner(weight), tap.place(call)
    call.expected(owner)
    if owner is None or place.axis != 0 or not place.is_together:
        raise call.unknown()
    y, saved = F.prelu(x, weight.detach()), x.detach()

    def record(slope: Tensor) -> None:
        below = wide(slope * saved.clamp(max=0))
        kept = below.flatten(1).sum(1, keepdim=True) if len(weight) == 1 else below
        rows = kept if kept.dim() == 2 else kept.flatten(2).sum(2)
        owner.uses.append(Direct(over_positions(positions(place.front(rows, tap.size)))))

    return tap.tap(y, record, saved)


def positions(x: Tensor) -> Tensor:
    """Return `(batch, ..., number)` as `(batch, position, number)`, not narrower than float32."""
    x = wide(x)
    return x[:, None] if x.dim() == 2 else x if x.dim() == 3 else x.flatten(1, -2)


def over_positions(x: Tensor) -> Tensor:
    """Return the sum over the second axis, without copying if there is one position."""
    return x[:, 0] if x.shape[1] == 1 else x.sum(1)


def wide(x: Tensor) -> Tensor:
    """Return `x` in at least float32: norms of half-precision numbers are sums of many."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


LAYERS: dict[Any, Rule] = {
    F.linear: linear,
    F.embedding: embedding,
    "conv1d": convolution,
    "conv2d": convolution,
    "conv3d": convolution,
    "prelu": prelu,
    "addmm": addmm,
    "matmul": matmul,
    "__matmul__": matmul,
    "mm": matmul,
    "__getitem__": item,
}
