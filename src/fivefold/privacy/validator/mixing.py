"""Whether the loss of one example depends on another: what private training must rule out (Abadi et al., 2016).

Clipping bounds what one example adds to the gradient only if it adds to no loss but its own. Batch
normalization, and losses that hold the examples of a batch against one another, break that.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fivefold.core.data import Batch, Inputs
from fivefold.core.errors import BadInput
from fivefold.core.loss import Loss

MOST_EXAMPLES = 8
CLOSE = 1e-6  # relative, in float64
LOUDER = (1.0, 10.0)  # what an exchanged example is multiplied by


class Mixing(NamedTuple):
    """Where examples meet.

    Attributes:
        layer: Name of the first layer in which they do, in order of execution; "" for the loss itself.
        kind: Class of that layer, or "loss".
    """

    layer: str
    kind: str


def check_separate(net: nn.Module, batch: Batch, loss: Loss) -> None:
    """Check that no example of `batch` changes the loss of another.

    Raises:
        BadInput: One does, or there are fewer than two.
    """
    if batch.size < 2:
        raise BadInput(
            "Whether examples mix needs at least two examples.", mend="Give it more rows."
        )
    found = first_mixing(net, batch, loss)
    if found is not None:
        raise BadInput(
            "Examples of a batch change the losses of one another ({kind}), so the share of one example cannot be bounded.",
            where=found.layer,
            mend="Replace batch normalization (privacy.validator.with_group_norm), and compare examples with public ones only.",
            kind=found.kind,
        )


def first_mixing(net: nn.Module, batch: Batch, loss: Loss) -> Mixing | None:
    """Return where examples mix in training, or None if it was not seen to happen.

    One example after another is exchanged, under the same random numbers, on a copy in float64. What no
    exchange of these few examples shows is not found: rare routing between experts, for example.
    """
    net = deepcopy(net).double().train()
    batch = _double(batch.take(slice(0, MOST_EXAMPLES)))
    usual, names = _observed(net, batch, loss)
    for row in range(batch.size):
        for factor in LOUDER:
            other = _exchanged(batch, row, factor)
            kept = torch.arange(batch.size) != row
            found, _ = _observed(net, other, loss)
            if not _is_same(usual[-1], found[-1], kept):
                pairs = zip(usual[:-1], found[:-1], names, strict=False)
                at = (name for a, b, name in pairs if not _is_same(a, b, kept))
                return next(at, Mixing("", "loss"))
    return None


def _observed(net: nn.Module, batch: Batch, loss: Loss) -> tuple[list[Tensor], list[Mixing]]:
    """Return what each layer without parts says of each example, and last the losses."""
    seen: list[Tensor] = []
    names: list[Mixing] = []
    state = deepcopy(net.state_dict())  # running statistics must not differ between two looks
    with torch.random.fork_rng(devices=[]), _listening(net, batch.size, seen, names):
        torch.random.manual_seed(0)
        losses = loss(net, batch).detach()
    net.load_state_dict(state)
    if losses.shape != (batch.size,):
        raise BadInput(
            "The loss gives numbers of shape {shape} for {n} examples, and one number for each is needed.",
            mend="Return the losses before they are averaged.",
            shape=str(tuple(losses.shape)),
            n=batch.size,
        )
    return [*seen, losses], names


@contextmanager
def _listening(
    net: nn.Module, size: int, seen: list[Tensor], names: list[Mixing]
) -> Generator[None]:
    def hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def heard(layer: nn.Module, _: Any, out: Any) -> None:
            if isinstance(out, Tensor) and out.dim() and len(out) == size:
                seen.append(out.detach().clone())
                names.append(Mixing(name, type(layer).__name__))

        return heard

    leaves = [(n, m) for n, m in net.named_modules() if not any(m.children())]
    handles = [m.register_forward_hook(hook(n)) for n, m in leaves]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _is_same(a: Tensor, b: Tensor, kept: Tensor) -> bool:
    if a.shape != b.shape:
        return True  # nothing can be compared here; the losses decide
    a, b = a[kept], b[kept]
    if not a.is_floating_point():
        return torch.equal(a, b)
    return torch.allclose(a, b, rtol=CLOSE, atol=CLOSE, equal_nan=True)


def _exchanged(batch: Batch, row: int, factor: float) -> Batch:
    """Return `batch` with another of its examples at `row`, made louder."""
    rows = torch.arange(batch.size, device=batch.y.device)
    rows[row] = (row + 1) % batch.size
    new = batch.take(rows)

    def louder(x: Tensor) -> Tensor:
        if x.is_floating_point():
            x[row] *= factor
            x[row] += factor / 10
        return x

    return Batch(_each(new.x, louder), new.y)


def _double(batch: Batch) -> Batch:
    def wide(x: Tensor) -> Tensor:
        return x.double() if x.is_floating_point() else x

    return Batch(_each(batch.x, wide), wide(batch.y))


def _each(x: Inputs, change: Callable[[Tensor], Tensor]) -> Inputs:
    return change(x) if isinstance(x, Tensor) else {k: change(v) for k, v in x.items()}
