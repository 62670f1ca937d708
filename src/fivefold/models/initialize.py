"""Build networks without touching global randomness."""

from collections.abc import Callable
from math import sqrt

import torch
from torch import Generator, nn


def built(make: Callable[[], nn.Module], rng: Generator) -> nn.Module:
    """Return `make()` with weights drawn from `rng` (He et al., 2015: fan-in, gain for ReLU).

    Parameters of layers this does not know are an error, not a silent default.

    Raises:
        TypeError: A layer with parameters that has no rule here.
    """
    state = torch.random.get_rng_state()  # the layers' constructors draw from it
    try:
        net = make()
    finally:
        torch.random.set_rng_state(state)
    for layer in net.modules():
        _fill(layer, rng)
    return net.eval()


def _fill(layer: nn.Module, rng: Generator) -> None:
    if isinstance(layer, nn.Linear | nn.Conv2d):
        fan_in = layer.weight[0].numel()
        with torch.no_grad():
            layer.weight.normal_(std=sqrt(2 / fan_in), generator=rng)
            if layer.bias is not None:
                layer.bias.zero_()
    elif isinstance(layer, nn.BatchNorm2d | nn.GroupNorm | nn.LayerNorm):
        layer.reset_parameters()  # ones and zeros: nothing random
    elif next(layer.parameters(recurse=False), None) is not None:
        raise TypeError(f"No rule to initialise a {type(layer).__name__}.")
