"""Whether what was read off a whole batch is what each example says by itself."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from fivefold.core.data import Batch
from fivefold.core.loss import Loss
from fivefold.training.private import alone, book
from fivefold.training.private.layout import Layout
from fivefold.training.private.untracked import Untracked, not_separate

LEAST = 3  # examples that a check needs
CLOSE = 1e-3


def verified(
    net: nn.Module, weights: Mapping[str, Tensor], batch: Batch, loss: Loss
) -> tuple[Layout, set[str]]:
    """Return the layout of `net`, and the weights whose gradients were seen to be right.

    Three examples are run together and by themselves. Where training draws random numbers the two cannot
    agree, so a network that fails is tried once more as it predicts.

    Raises:
        Untracked: They disagree.
    """
    three = batch.take(slice(0, LEAST))
    with torch.random.fork_rng(devices=[]):
        try:
            return _verified(net, weights, three, loss)
        except Untracked:
            if not _is_random(net, three, loss):
                raise
            with _predicting(net):
                return _verified(net, weights, three, loss)


def _verified(
    net: nn.Module, weights: Mapping[str, Tensor], three: Batch, loss: Loss
) -> tuple[Layout, set[str]]:
    layout = book.layout_of(net, weights, three, loss)
    uses = book.uses_of(net, weights, three, loss, layout)
    layout.forget()
    truth = alone.looped(net, weights, three, loss)
    norms = torch.stack([g.flatten(1).norm(dim=1) for g in truth.values()]).norm(dim=0)
    factor = torch.tensor([1.0, 2.0, 3.0], device=norms.device)
    scale, known = float(norms.max()), set[str]()
    if not 0 < scale < torch.inf:
        raise not_separate("a batch without finite gradients")
    for name, right in truth.items():
        size = right.flatten(1).norm(dim=1).double()
        found = uses[name].squares.sqrt() if name in uses else torch.zeros_like(size)
        total = uses[name].weighted(factor).view(right.shape[1:]) if name in uses else 0.0
        off = (torch.tensordot(factor.to(right.dtype), right, 1) - total).norm()
        if float((found - size).abs().max()) > CLOSE * scale or float(off) > 6 * CLOSE * scale:
            raise not_separate(f"the layer that holds {name}")
        if float(size.min()) > CLOSE * scale:
            known.add(name)
    return layout, known


def _is_random(net: nn.Module, batch: Batch, loss: Loss) -> bool:
    return not torch.equal(loss(net, batch), loss(net, batch))


@contextmanager
def _predicting(net: nn.Module) -> Generator[None]:
    """Have every layer behave as it does when it predicts."""
    training = [m for m in net.modules() if m.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True
