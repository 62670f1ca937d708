"""Private training that is broken in the ways that have happened, at the pieces that really run."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from pytest import MonkeyPatch

from fivefold.training import private_gradient
from fivefold.training.private import book, clipping, engine
from fivefold.training.private.engine import Clipped, Engine

FLAT = clipping.Flat.factors
CLIPPED = Engine.clipped
ONE = book._one
EPOCH = 4  # batches at rate 1/4


class NoClipping:
    """Leaves every gradient as long as it is."""

    def factors(self, squares, clip_norm):
        return {name: torch.ones_like(square) for name, square in squares.items()}


@dataclass
class Rarely:
    """Noise that is drawn at the first batch of an epoch: added there alone, or again at every other."""

    is_kept: bool
    n: int = 0
    drawn: Any = None

    def __call__(self, total, deviation, rng):
        is_first, self.n = self.n % EPOCH == 0, self.n + 1
        if is_first:
            self.drawn = torch.randn(len(total), generator=rng) * deviation
        return total + self.drawn if is_first or self.is_kept else total.clone()


def mean_is_clipped(self, net, batch, loss, rule, clip_norm):
    """The mean gradient is shortened, and noised as if it were a mean of shortened ones."""
    total, excess = CLIPPED(self, net, batch, loss, NoClipping(), clip_norm)
    norm = torch.cat([g.flatten() for g in total.values()]).norm() / max(batch.size, 1)
    factor = (clip_norm / norm).clamp(max=1.0)
    return Clipped({name: g * factor for name, g in total.items()}, excess)


def of_the_mean(self, net, batch, loss, rule, clip_norm):
    """Gradients of the mean loss are clipped, and scaled up by the batch afterwards."""
    size = max(batch.size, 1)
    total, excess = CLIPPED(self, net, batch, lambda f, b: loss(f, b) / size, rule, clip_norm)
    return Clipped({name: g * size for name, g in total.items()}, excess)


def all_but(layer):
    """One layer is left out of the norm, and is not shortened."""

    def factors(self, squares, clip_norm):
        others = {name: square for name, square in squares.items() if layer not in name}
        found = FLAT(self, others, clip_norm)
        return {n: found.get(n, torch.ones_like(square)) for n, square in squares.items()}

    return factors


class OneCounts:
    """A weight that is used in several places, of which the norm counts one."""

    def __init__(self, uses):
        self.uses = uses

    @property
    def squares(self):
        return self.uses[-1].squares

    @property
    def gradients(self):
        return sum(use.gradients for use in self.uses)

    def weighted(self, factor):
        return sum(use.weighted(factor).flatten() for use in self.uses)

    def take(self, rows):
        return type(self)([use.take(rows) for use in self.uses])


def unchecked(net, weights, batch, loss):
    """The engine's own check of three examples, which would notice a wrong norm, left out."""
    return book.layout_of(net, weights, batch.take(slice(0, 3)), loss)


@contextmanager
def sabotage(name: str) -> Generator[None]:
    """Break private training."""
    with MonkeyPatch.context() as patch:
        if name == "noise off":
            patch.setattr(private_gradient, "noised", lambda total, deviation, rng: total.clone())
        elif name == "noise once per epoch":
            patch.setattr(private_gradient, "noised", Rarely(is_kept=False))
        elif name == "same noise all epoch":
            patch.setattr(private_gradient, "noised", Rarely(is_kept=True))
        elif name == "batch gradient clipped":
            patch.setattr(engine.Engine, "clipped", mean_is_clipped)
        elif name == "gradient of the mean loss":
            patch.setattr(engine.Engine, "clipped", of_the_mean)
        elif name.startswith("unclipped "):
            patch.setattr(clipping.Flat, "factors", all_but(name.split()[1]))
        else:
            assert name == "one use counted"
            patch.setattr(engine, "verified", unchecked)
            patch.setattr(
                book, "_one", lambda u, shape: OneCounts([*u]) if len(u) > 1 else ONE(u, shape)
            )
        yield
