"""A module tree as plain data and back, by an allow-list: a description can name shapes and nothing else."""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from torch import nn

from fivefold.core.errors import BadInput, Damaged
from fivefold.core.jsonfile import from_json, to_json
from fivefold.core.schema import Schema
from fivefold.models.int8 import Int8Linear
from fivefold.models.prepare import PrepareImage, PrepareTable
from fivefold.models.residual import Residual

Described: TypeAlias = dict[str, Any]
DEEPEST = 32
MOST_MODULES = 20_000

# What the constructor of each layer is given. An attribute of the layer has the same name.
ARGUMENTS: Mapping[type[nn.Module], tuple[str, ...]] = {
    nn.Linear: ("in_features", "out_features", "bias"),
    Int8Linear: ("in_features", "out_features", "bias"),
    nn.Conv2d: (
        "in_channels",
        "out_channels",
        "kernel_size",
        "stride",
        "padding",
        "dilation",
        "groups",
        "bias",
        "padding_mode",
    ),
    nn.BatchNorm2d: ("num_features", "eps", "momentum", "affine", "track_running_stats"),
    nn.GroupNorm: ("num_groups", "num_channels", "eps", "affine"),
    nn.LayerNorm: ("normalized_shape", "eps", "elementwise_affine", "bias"),
    nn.ReLU: ("inplace",),
    nn.GELU: ("approximate",),
    nn.MaxPool2d: ("kernel_size", "stride", "padding", "dilation", "ceil_mode"),
    nn.AdaptiveAvgPool2d: ("output_size",),
    nn.Flatten: ("start_dim", "end_dim"),
    nn.Identity: (),
    PrepareImage: (),
}
CHILDREN: Mapping[type[nn.Module], tuple[str, ...]] = {Residual: ("body", "shortcut")}
KINDS: Mapping[str, type[nn.Module]] = {
    c.__name__: c for c in (*ARGUMENTS, *CHILDREN, nn.Sequential, PrepareTable)
}


def describe(net: nn.Module) -> Described:
    """Return `net` without its weights as JSON-ready data.

    Raises:
        BadInput: A layer is not on the allow-list.
    """
    kind = type(net)
    told: Described = {"kind": kind.__name__}
    if kind is nn.Sequential:
        return told | {"parts": [[name, describe(part)] for name, part in net.named_children()]}
    if kind in CHILDREN:
        return told | {name: describe(getattr(net, name)) for name in CHILDREN[kind]}
    if isinstance(net, PrepareTable):
        return told | {"schema": json.loads(to_json(net.schema))}
    if kind not in ARGUMENTS:
        raise BadInput(
            "A {kind} layer cannot be saved.",
            mend="Build the network from these: {known}.",
            kind=kind.__name__,
            known=", ".join(sorted(KINDS)),
        )
    return told | {name: _argument(net, name) for name in ARGUMENTS[kind]}


def rebuild(told: Described) -> nn.Module:
    """Return a network as `describe` described it; its weights mean nothing yet.

    Raises:
        Damaged: A layer is not on the allow-list, or its arguments make no sense.
    """
    left = iter(range(MOST_MODULES))
    try:
        return _rebuilt(told, DEEPEST, lambda: next(left, None) is not None)
    except (TypeError, ValueError, KeyError, RuntimeError, OverflowError, ArithmeticError) as error:
        raise _damaged(str(error)) from error


def _argument(net: nn.Module, name: str) -> Any:
    value = getattr(net, name)
    if name == "bias":
        return value is not None
    return list(value) if isinstance(value, tuple) else value


def _rebuilt(told: Any, depth: int, may_go_on: Callable[[], bool]) -> nn.Module:
    if not (isinstance(told, Mapping) and isinstance(told.get("kind"), str)):
        raise _damaged("a layer without a kind")
    if not (depth and may_go_on()):
        raise _damaged("too many layers")
    kind, given = KINDS.get(told["kind"]), {k: v for k, v in told.items() if k != "kind"}
    if kind is None:
        raise Damaged(
            "There is no layer {kind}.",
            mend="Known layers: {known}.",
            kind=ascii(told["kind"])[:80],
            known=", ".join(sorted(KINDS)),
        )
    if kind is nn.Sequential:
        parts = [(str(name), _rebuilt(part, depth - 1, may_go_on)) for name, part in given["parts"]]
        return nn.Sequential(OrderedDict(parts))
    if kind in CHILDREN:
        return kind(**{k: _rebuilt(v, depth - 1, may_go_on) for k, v in given.items()})
    if kind is PrepareTable:
        return PrepareTable(from_json(json.dumps(given["schema"]), Schema))
    return kind(**{k: _plain(k, v, ARGUMENTS[kind]) for k, v in given.items()})


def _plain(name: str, value: Any, known: tuple[str, ...]) -> Any:
    """Return a constructor argument: a number, a word, or a few numbers."""
    if name not in known:
        raise _damaged(f"an argument {name[:80]!r}")
    if isinstance(value, list):
        return tuple(_plain(name, v, known) for v in value[:4])
    if isinstance(value, int | float | str | None):
        return value
    raise _damaged(f"a strange value of {name}")


def _damaged(problem: str) -> Damaged:
    return Damaged(
        "The description of the network makes no sense: {problem}.",
        mend="Get the file again from where it was written.",
        problem=problem[:200],
    )
