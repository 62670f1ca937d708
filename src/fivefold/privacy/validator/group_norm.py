"""Group normalization (Wu and He, 2018) in place of batch normalization, which mixes examples."""

from copy import deepcopy

import torch
from torch import nn

MOST_GROUPS = 32
LEAST_CHANNELS = 2  # one number normalized by itself is always zero


def with_group_norm(net: nn.Module, groups: int = MOST_GROUPS) -> nn.Module:
    """Return a copy of `net` in which every batch normalization is a group normalization.

    Learned scales and shifts are taken over. Running statistics are let go, so the copy answers otherwise
    than `net` and must be trained on. What `net` had learned from data it still knows.

    Args:
        net: Any network; one without batch normalization is copied as it is.
        groups: Most groups of channels; fewer where they do not divide the channels.
    """
    made = deepcopy(net)
    if is_over_batch(made):
        return _converted(made, groups)
    known: dict[nn.Module, nn.Module] = {}  # a layer that is used twice stays one layer
    for path, layer in list(made.named_modules(remove_duplicate=False)):
        if is_over_batch(layer):
            parent, _, name = path.rpartition(".")
            if layer not in known:
                known[layer] = _converted(layer, groups)
            made.get_submodule(parent).add_module(name, known[layer])
    return made


def is_over_batch(layer: nn.Module) -> bool:
    """Whether `layer` is a batch normalization of any kind."""
    return isinstance(layer, nn.modules.batchnorm._BatchNorm)  # pyright: ignore[reportPrivateUsage]


def _converted(layer: nn.Module, groups: int) -> nn.Module:
    assert isinstance(layer, nn.modules.batchnorm._BatchNorm)  # pyright: ignore[reportPrivateUsage]
    channels = layer.num_features
    made = nn.GroupNorm(_divisor(channels, groups), channels, eps=layer.eps, affine=layer.affine)
    made.train(layer.training)
    if not layer.affine:
        return made
    made.to(layer.weight)
    with torch.no_grad():
        for old, new in ((layer.weight, made.weight), (layer.bias, made.bias)):
            new.copy_(old)
            new.requires_grad_(old.requires_grad)
    return made


def _divisor(channels: int, groups: int) -> int:
    """Return the largest number of equal groups, of two channels or more if that can be."""
    most = max(1, min(groups, channels // LEAST_CHANNELS))
    return next(g for g in range(most, 0, -1) if channels % g == 0)
