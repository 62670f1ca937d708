"""Networks whose layers are drawn anew, the last one first (Adebayo et al., 2018, arXiv 1810.03292)."""

from collections.abc import Iterator
from copy import deepcopy

import torch
from torch import Generator, Tensor, nn

from fivefold.core.errors import NotMeasurable


def redrawn_from_the_top(
    net: nn.Module, n_stages: int, rng: Generator
) -> Iterator[tuple[float, nn.Module]]:
    """Yield the share of layers drawn anew, and a copy of `net` in which they are.

    Layers are taken from the top, in at most `n_stages` steps of the same size; the last copy is all new.

    Raises:
        NotMeasurable: There are no weights to draw.
    """
    made, done = deepcopy(net), 0
    layers = _layers(made)[::-1]
    for stage in range(1, min(n_stages, len(layers)) + 1):
        upto = round(stage * len(layers) / min(n_stages, len(layers)))
        for layer in layers[done:upto]:
            _redraw(layer, rng)
        done = upto
        yield done / len(layers), deepcopy(made)


def redrawn(net: nn.Module, rng: Generator) -> nn.Module:
    """Return a copy of `net` in which every layer is drawn anew.

    Raises:
        NotMeasurable: There are no weights to draw.
    """
    return next(redrawn_from_the_top(net, 1, rng))[1]


def _layers(net: nn.Module) -> list[nn.Module]:
    """Return the modules that hold weights of their own, first layer first."""
    found = [m for m in net.modules() if any(p.ndim > 1 and p.is_floating_point() for p in m.parameters(recurse=False))]  # fmt: skip
    if not found:
        raise NotMeasurable(
            "A {net} holds no weights that could be drawn anew.",
            mend="Measure the network before its weights are rounded to integers.",
            net=type(net).__name__,
        )
    return found


@torch.no_grad()
def _redraw(layer: nn.Module, rng: Generator) -> None:
    for parameter in layer.parameters(recurse=False):
        if parameter.is_floating_point():
            parameter.copy_(_drawn(parameter, rng))


def _drawn(old: Tensor, rng: Generator) -> Tensor:
    """Return weights of the same mean square around 0; of a vector (biases, scales), its values shuffled."""
    if old.ndim < 2:
        return old[torch.randperm(len(old), generator=rng).to(old.device)] if old.ndim else old
    return (torch.randn(old.shape, generator=rng) * float(old.square().mean().sqrt())).to(old)
