"""The gradient of every example's score over the weights, some examples at a time."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call, grad, vmap

from fivefold.core.data import Batch, to_device
from fivefold.core.errors import needs_net
from fivefold.core.model import HasNet
from fivefold.explanation.influence.score import score
from fivefold.models.torch import device_of
from fivefold.perturb import in_parts

ROOM = 2**25  # numbers of gradients held at a time by one part


def weights_of(model: HasNet, wanted_by: object) -> dict[str, Tensor]:
    """Return the weights that training may move.

    Raises:
        NotMeasurable: There are none.
    """
    found = {n: p.detach() for n, p in model.net.named_parameters() if p.requires_grad}
    if not found:
        raise needs_net(type(wanted_by).__name__, "network without trainable weights")
    return found


def n_weights(model: HasNet, wanted_by: object) -> int:
    """Return how many numbers a gradient has."""
    return sum(w.numel() for w in weights_of(model, wanted_by).values())


def gradients(
    model: HasNet, data: Batch, wanted_by: object
) -> Iterator[Float[Tensor, "part weights"]]:
    """Yield the gradients of the scores of `data`, in order, on the CPU."""
    net, task, device = model.net, model.task, device_of(model.net)
    weights = weights_of(model, wanted_by)
    rest = {n: p.detach() for n, p in net.named_parameters() if n not in weights}
    rest |= dict(net.named_buffers())

    def own(weights: dict[str, Tensor], x: Tensor | dict[str, Tensor], y: Tensor) -> Tensor:
        single = x[None] if isinstance(x, Tensor) else {k: v[None] for k, v in x.items()}
        return score(functional_call(net, weights | rest, (single,))[0], y, task)

    slopes = vmap(grad(own), in_dims=(None, 0, 0))

    def some(rows: Tensor) -> Tensor:
        part = data.take(rows)
        x = to_device(part.x, device)
        x = x if isinstance(x, Tensor) else dict(x)
        found = slopes(weights, x, part.y.to(device))
        return torch.cat([found[n].flatten(1) for n in weights], 1).cpu()

    size = max(1, ROOM // sum(w.numel() for w in weights.values()))
    return in_parts(some, torch.arange(data.size), size)
