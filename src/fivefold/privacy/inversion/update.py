"""The update of a client: some steps of gradient descent on its rows (McMahan et al., 2017), clipped as asked.

It is a differentiable function of the rows, which is what an attacker needs who tries rows until they give
the update that was seen. All clients are computed at once, each with a copy of the weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from fivefold.core.data import Batch
from fivefold.core.loss import Loss
from fivefold.privacy.inversion.answers import answers
from fivefold.privacy.inversion.sight import Sight

Update: TypeAlias = Mapping[str, Float[Tensor, "client ..."]]
TINY = 1e-12


@dataclass(frozen=True)
class Client:
    """How a client trains.

    Attributes:
        body: Its network.
        loss: Loss per example.
        lr: Learning rate.
        steps: Steps, each over all of its rows.
        sight: How its update is seen.
    """

    body: nn.Module
    loss: Loss
    lr: float
    steps: int
    sight: Sight

    def updates(
        self, x: Float[Tensor, "client row ..."], y: Tensor, rng: Generator | None = None
    ) -> dict[str, Float[Tensor, "client ..."]]:
        """Return how far the weights of each client move; differentiable in `x`.

        Args:
            x: The rows of each client.
            y: Their targets, `(client, row)`.
            rng: Source of the noise; None leaves it out, as an attacker does who tries rows.
        """
        named = {n: w.detach() for n, w in self.body.named_parameters() if w.requires_grad}
        start = {n: w.expand(len(x), *w.shape) for n, w in named.items()}
        moved, is_whole = {n: torch.zeros_like(w) for n, w in start.items()}, self.sight.is_whole
        for _ in range(self.steps):
            slopes = self._slopes({n: w - moved[n] for n, w in start.items()}, x, y)
            if not is_whole:
                slopes = self._noised(slopes, rng, 1 / y.shape[1])
            moved = {n: m + self.lr * slopes[n] for n, m in moved.items()}
        if not is_whole:
            return moved
        return self._noised(_shortened(moved, self.sight.clip_norm), rng, 1.0)

    def seen(
        self, x: Float[Tensor, "client row ..."], y: Tensor, rng: Generator
    ) -> dict[str, Float[Tensor, "client ..."]]:
        """Return the updates as they are seen, noise included."""
        return {n: v.detach() for n, v in self.updates(x, y, rng).items()}

    def _slopes(self, weights: Update, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Return the mean gradient of each client; of gradients that are clipped one by one, if they are."""
        if self.sight.is_whole:
            return self._gradients(weights, x, y)
        size = y.shape[1]
        own = {n: w.repeat_interleave(size, 0) for n, w in weights.items()}
        each = self._gradients(own, x.flatten(0, 1)[:, None], y.flatten()[:, None])
        short = _shortened(each, self.sight.clip_norm)
        return {n: v.unflatten(0, y.shape).mean(1) for n, v in short.items()}

    def _gradients(self, weights: Update, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        leaves = {
            n: w if w.requires_grad else w.detach().requires_grad_() for n, w in weights.items()
        }
        with torch.enable_grad():
            told = answers(self.body, leaves, x).flatten(0, 1)
            each = self.loss(lambda _: told, Batch(y.flatten(), y.flatten()))
            total = each.view(y.shape).mean(1).sum()
            slopes = torch.autograd.grad(
                total, [*leaves.values()], create_graph=True, materialize_grads=True
            )
        return dict(zip(leaves, slopes, strict=True))

    def _noised(
        self, moved: dict[str, Tensor], rng: Generator | None, scale: float
    ) -> dict[str, Tensor]:
        deviation = self.sight.deviation * scale
        if rng is None or not deviation:
            return moved
        return {n: v + deviation * torch.randn(v.shape, generator=rng) for n, v in moved.items()}


def distance(a: Update, b: Update) -> Float[Tensor, " client"]:
    """Return one minus the cosine of the angle between updates (Geiping et al., 2020)."""
    u, v = (torch.cat([one[n].flatten(1) for n in a], 1) for one in (a, b))
    return 1 - (u * v).sum(1) / (_norm(u) * _norm(v))


def drawn(n_rows: int, n_clients: int, size: int, rng: Generator) -> Int[Tensor, "client row"]:
    """Return the rows of each client; no row is with two of them. There are fewer clients if rows run out."""
    n = min(n_clients, n_rows // size)
    return torch.randperm(n_rows, generator=rng)[: n * size].view(n, size)


def _shortened(moved: Update, clip_norm: float) -> dict[str, Tensor]:
    if clip_norm == inf:  # and not a factor of inf / norm, whose slope is no number
        return dict(moved)
    square = torch.stack([v.flatten(1).square().sum(1) for v in moved.values()]).sum(0)
    factor = (clip_norm / square.clamp(min=TINY**2).sqrt()).clamp(max=1.0)
    return {n: v * factor.view(-1, *[1] * (v.dim() - 1)) for n, v in moved.items()}


def _norm(rows: Float[Tensor, "client weight"]) -> Float[Tensor, " client"]:
    return rows.square().sum(1).clamp(min=TINY**2).sqrt()
