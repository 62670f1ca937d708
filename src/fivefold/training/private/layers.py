"""What the layers of torch tell of their weights in a backward pass."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fivefold.training.private.convolved import Convolved, Shape, same_padding
from fivefold.training.private.lookup import Lookup
from fivefold.training.private.tap import Call, Rule, Tap
from fivefold.training.private.use import Direct, Product


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
        if owner is not None:
            a = positions(place.front(saved, tap.size))
            owner.uses.append(Product(g, a) if is_turned else Product(a, g))
        if shift is not None:
            shift.uses.append(Direct(g.sum(1)))

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
            owner.uses.append(Convolved(wide(saved), wide(slope), shape, tap.size))
        if shift is not None:
            rows = wide(slope).flatten(2).sum(2)
            shift.uses.append(Direct(positions(place.front(rows, tap.size)).sum(1)))

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


def layer_norm(tap: Tap, call: Call) -> Tensor:
    """Normalization over the last axes."""
    x, shape, weight, bias, eps = call.bound("input", "normalized_shape", "weight", "bias", "eps")
    owner, shift, place, n = call.owner(weight), call.owner(bias), tap.place(call), len(shape)
    call.expected(owner, shift)
    if place.axis >= x.dim() - n:
        raise call.unknown()
    w, b = (None if t is None else t.detach() for t in (weight, bias))
    y, mean, rstd = torch.native_layer_norm(x, shape, w, b, 1e-5 if eps is None else eps)
    saved = x.detach()

    def record(slope: Tensor) -> None:
        g = wide(place.front(slope, tap.size))
        if owner is not None:
            a, m, r = (wide(place.front(t, tap.size)) for t in (saved, mean, rstd))
            owner.uses.append(Direct(_over_positions((a - m).mul_(r).mul_(g), n)))
        if shift is not None:
            shift.uses.append(Direct(_over_positions(g, n)))

    return tap.tap(y, record, saved)


def rms_norm(tap: Tap, call: Call) -> Tensor:
    """Scaling by the root of the mean square of the last axes."""
    x, shape, weight, eps = call.bound("input", "normalized_shape", "weight", "eps")
    owner, place, n = call.owner(weight), tap.place(call), len(shape)
    call.expected(owner)
    if owner is None or place.axis >= x.dim() - n:
        raise call.unknown()
    even = F.rms_norm(x, shape, None, eps)
    saved = even.detach()

    def record(slope: Tensor) -> None:
        g, a = (wide(place.front(t, tap.size)) for t in (slope, saved))
        owner.uses.append(Direct(_over_positions(g * a, n)))

    return tap.tap(even * weight.detach(), record, saved)


def group_norm(tap: Tap, call: Call) -> Tensor:
    """Normalization over groups of channels."""
    x, n_groups, weight, bias, eps = call.bound("input", "num_groups", "weight", "bias", "eps")
    owner, shift, place = call.owner(weight), call.owner(bias), tap.place(call)
    call.expected(owner, shift)
    if place.axis != 0 or not place.is_together:
        raise call.unknown()
    x = x.contiguous()
    n, channels, *_ = x.shape
    w, b = (None if t is None else t.detach() for t in (weight, bias))
    y, mean, rstd = torch.native_group_norm(
        x, w, b, n, channels, x[0, 0].numel(), n_groups, 1e-5 if eps is None else eps
    )
    saved = x.detach()

    def record(slope: Tensor) -> None:
        g, a = wide(slope).flatten(2), wide(saved).flatten(2)
        total = g.sum(2) if g.shape[2] != 1 else g[..., 0]
        m, r = (wide(t).repeat_interleave(channels // n_groups, 1) for t in (mean, rstd))
        if owner is not None:
            found = (torch.linalg.vecdot(g, a) - total * m) * r
            owner.uses.append(Direct(positions(place.front(found, tap.size)).sum(1)))
        if shift is not None:
            shift.uses.append(Direct(positions(place.front(total, tap.size)).sum(1)))

    return tap.tap(y, record, saved)


def positions(x: Tensor) -> Tensor:
    """Return `(batch, ..., number)` as `(batch, position, number)`, not narrower than float32."""
    x = wide(x)
    return x[:, None] if x.dim() == 2 else x if x.dim() == 3 else x.flatten(1, -2)


def wide(x: Tensor) -> Tensor:
    """Return `x` in at least float32: norms of half-precision numbers are sums of many."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _over_positions(x: Tensor, n: int) -> Tensor:
    """Return the sum over what lies between the examples and the last `n` axes."""
    return x if x.dim() == n + 1 else x.flatten(1, -n - 1).sum(1)


LAYERS: dict[Any, Rule] = {
    F.linear: linear,
    F.embedding: embedding,
    F.layer_norm: layer_norm,
    F.group_norm: group_norm,
    F.rms_norm: rms_norm,
    "conv1d": convolution,
    "conv2d": convolution,
    "conv3d": convolution,
    "addmm": addmm,
    "matmul": matmul,
    "__matmul__": matmul,
    "mm": matmul,
    "__getitem__": item,
}
