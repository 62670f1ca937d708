"""Whether private training changed what it should, and nothing else.

Loss and epsilon can look normal while adapters are never used or frozen weights drift: with noise on every
weight nothing else tells.
"""

from copy import deepcopy
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from fivefold.core.data import Inputs
from fivefold.core.errors import BadInput

CLOSE = 1e-4  # of two ways to multiply the same matrices, relative to the largest output


@runtime_checkable
class Merges(Protocol):
    """A layer with an adapter beside its weight, such as LoRA, that can be added to the weight."""

    def merge(self) -> object:
        """Add the adapter to the weight, in place; the layer then answers without it."""
        ...


def check_intact(before: nn.Module, after: nn.Module, shaped: Inputs) -> None:
    """Check the weights and adapters of a network that was trained from `before` to `after`.

    Args:
        before: The network as it was.
        after: The same network, trained.
        shaped: Inputs of the right shape. They are not looked at: ones stand in for them.

    Raises:
        BadInput: A frozen weight moved, a trained one did not, or an adapter is not what is used.
    """
    old = dict(before.named_parameters())
    for name, weight in after.named_parameters():
        has_moved = not torch.equal(weight, old[name].to(weight))
        if has_moved and not weight.requires_grad:
            raise _broken("The frozen weight {weight} has moved in training.", name)
        if weight.requires_grad and not has_moved:
            raise _broken("The weight {weight} has not moved in training.", name)
    _check_adapters(after, shaped)


@torch.no_grad()
def _check_adapters(net: nn.Module, shaped: Inputs) -> None:
    names = [n for n, m in net.named_modules() if isinstance(m, Merges)]
    if not names:
        return
    merged = deepcopy(net)
    for module in [*merged.modules()]:
        if isinstance(module, Merges):
            module.merge()
    device = next(net.parameters()).device
    plain = (
        torch.ones_like(shaped[:2], device=device)
        if isinstance(shaped, torch.Tensor)
        else {k: torch.ones_like(v[:2], device=device) for k, v in shaped.items()}
    )
    with_it, without = net(plain), merged(plain)
    if not torch.allclose(with_it, without, rtol=0, atol=CLOSE * float(with_it.abs().max())):
        raise _broken("The adapter of {weight} answers otherwise once it is merged.", names[0])


def _broken(what: str, weight: str) -> BadInput:
    return BadInput(
        what,
        where=weight,
        mend="Check that the layer uses its weights in forward, and that the optimizer moves them.",
        weight=weight,
    )
