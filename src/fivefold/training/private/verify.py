"""Whether what was read off a whole batch is what each example says by itself."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from fivefold.core.data import Batch
from fivefold.core.loss import Loss
from fivefold.training.private import alone, book
from fivefold.training.private.layout import Layout
from fivefold.training.private.untracked import Unclear, Untracked, not_separate

LEAST = 3  # examples that a check needs
AMONG = 16  # of which they are taken
CLOSE = 1e-3  # relative; more where numbers are narrower


def verified(net: nn.Module, weights: Mapping[str, Tensor], batch: Batch, loss: Loss) -> Layout:
    """Return the layout of `net`, whose gradients were seen to be right on three examples of `batch`.

    They are run together and by themselves. Where training draws random numbers the two cannot agree: then
    the same numbers are drawn again with one example exchanged, which may not change the loss of another,
    and the network is compared as it predicts.

    Raises:
        Untracked: They disagree.
        Unclear: These examples do not show it.
    """
    three = _ordinary(batch)
    with torch.random.fork_rng(devices=[]):
        try:
            return _verified(net, weights, three, loss)
        except Untracked:
            if not _is_random(net, three, loss) or _is_mixed(net, three, loss):
                raise
            with _predicting(net):
                return _verified(net, weights, three, loss)


def _verified(net: nn.Module, weights: Mapping[str, Tensor], three: Batch, loss: Loss) -> Layout:
    layout = book.layout_of(net, weights, three, loss)
    uses = book.uses_of(net, weights, three, loss, layout)
    layout.forget()
    truth = alone.looped(net, weights, three, loss)
    norms = torch.stack([_norms(g) for g in truth.values()]).norm(dim=0)
    rows = (norms.isfinite() & (norms > 0)).nonzero()[:, 0]
    if len(rows) < 2:
        raise Unclear
    norms = norms[rows].double()
    rising = torch.arange(1.0, len(rows) + 1, device=norms.device)
    for name, right in truth.items():
        right, use = right[rows], uses[name].take(rows) if name in uses else None
        found = use.squares.sqrt() if use is not None else torch.zeros_like(norms)
        close = max(CLOSE, 8 * torch.finfo(right.dtype).eps)
        if (found < _norms(right) - close * norms).any():
            raise not_separate(f"the layer that holds {name}")
        for factor in (rising, rising.flip(0)):
            total = use.weighted(factor).view(right.shape[1:]) if use is not None else 0.0
            off = (torch.tensordot(factor.to(right.dtype), right, 1) - total).norm()
            if float(off) > close * float((factor * norms).sum()):
                raise not_separate(f"the layer that holds {name}")
    return layout


def _ordinary(batch: Batch) -> Batch:
    """Return a few examples in the middle by the size of their numbers: extreme ones only show rounding."""
    some = batch.take(slice(0, AMONG))
    parts = [some.x] if isinstance(some.x, Tensor) else [*some.x.values()]
    sizes = [p.reshape(some.size, -1).abs().amax(1) for p in parts if p.is_floating_point()]
    if not sizes:
        return some.take(slice(0, LEAST))
    size = torch.stack(sizes).amax(0).nan_to_num(nan=torch.inf)
    start = (some.size - LEAST) // 2
    return some.take(size.argsort(stable=True)[start : start + LEAST])


def _norms(gradients: Tensor) -> Tensor:
    """Return the norm of each example's gradient."""
    return gradients.reshape(len(gradients), -1).norm(dim=1).double()


def _is_random(net: nn.Module, batch: Batch, loss: Loss) -> bool:
    return not torch.equal(loss(net, batch), loss(net, batch))


def _is_mixed(net: nn.Module, three: Batch, loss: Loss) -> bool:
    """Whether the loss of an example depends on another, with the same random numbers for both."""
    state = torch.random.get_rng_state()
    found: list[Tensor] = []
    for rows in ([0, 1, 2], [0, 1, 0], [2, 1, 2]):
        torch.random.set_rng_state(state)
        found.append(loss(net, three.take(torch.tensor(rows, device=three.y.device))).detach())
    whole, last, first = found
    pairs = ((whole[:2], last[:2]), (whole[1:], first[1:]))
    return not all(torch.allclose(a, b, rtol=CLOSE, atol=1e-6, equal_nan=True) for a, b in pairs)


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
