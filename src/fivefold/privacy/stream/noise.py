"""Noise that is correlated over the batches of a stream (Dvijotham et al., 2024), a few buffers at a time.

Later noise takes some of the earlier away again, so that sums of many batches hold less of it than of
independent noise, which would never leave them.

Buffers are as secret as the noise, so they are never kept on disk. A run that was interrupted goes on with
fresh noise and empty buffers. This is as private: it is the same mechanism with those entries of the strategy
matrix set to zero that tie later batches to earlier ones, and because no entry is negative, nobody can then
move more of it than before. Only its sums have more error.
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.privacy.stream.toeplitz import Buffered
from fivefold.training.private.noise import normals


@dataclass
class CorrelatedNoise:
    """The noise of one run, from its first batch to its last.

    Attributes:
        strategy: The matrix whose inverse correlates the noise.
        rng: Source of the noise, used for nothing else.
        left: Batches that are still paid for.
        buffers: Fading sums of past noise; None before the first batch.
    """

    strategy: Buffered
    rng: Generator
    left: int
    buffers: Float[Tensor, "buffer number"] | None = field(default=None, repr=False)

    def noised(self, x: Float[Tensor, " number"], deviation: float) -> Tensor:
        """Return `x` plus the noise of the next batch, added in float64 and rounded once."""
        assert self.left > 0, "more batches were read than were paid for"
        self.left -= 1
        if self.buffers is None:
            self.buffers = torch.zeros(len(self.strategy.decays), len(x), dtype=torch.float64)
        decays, weights = (
            torch.tensor(v, dtype=torch.float64)
            for v in (self.strategy.decays, self.strategy.weights)
        )
        out, start = torch.empty_like(x), 0
        for fresh in normals(len(x), self.rng):
            end = start + len(fresh)
            held = self.buffers[:, start:end]
            noise = fresh - weights @ held
            held.mul_(decays[:, None]).add_(fresh)
            torch.add(x[start:end], noise.to(x.device).mul_(deviation), out=out[start:end])
            start = end
        return out
