"""What layers that normalize tell of their scales and shifts in a backward pass."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fivefold.training.private.layers import over_positions, positions, wide
from fivefold.training.private.tap import Call, Rule, Tap
from fivefold.training.private.use import Direct


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
    return _grouped(tap, call, (x, weight, bias), n_groups, eps)


def instance_norm(tap: Tap, call: Call) -> Tensor:
    """Normalization over the places of each channel."""
    x, mean, _, weight, bias, is_own, _, eps = call.bound(
        "input", "running_mean", "running_var", "weight", "bias", "use_input_stats", "momentum",
        "eps",
    )  # fmt: skip
    if mean is not None or is_own is False:
        raise call.unknown()
    return _grouped(tap, call, (x, weight, bias), x.shape[1], eps)


def _grouped(tap: Tap, call: Call, given: Any, n_groups: int, eps: float | None) -> Tensor:
    x, weight, bias = given
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
            owner.uses.append(Direct(over_positions(positions(place.front(found, tap.size)))))
        if shift is not None:
            shift.uses.append(Direct(over_positions(positions(place.front(total, tap.size)))))

    return tap.tap(y, record, saved)


def _over_positions(x: Tensor, n: int) -> Tensor:
    """Return the sum over what lies between the examples and the last `n` axes."""
    return x if x.dim() == n + 1 else x.flatten(1, -n - 1).sum(1)


NORMALIZED: dict[Any, Rule] = {
    F.layer_norm: layer_norm,
    F.rms_norm: rms_norm,
    F.group_norm: group_norm,
    F.instance_norm: instance_norm,
}
