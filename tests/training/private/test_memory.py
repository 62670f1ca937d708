"""Nothing of a batch outlives it."""

import gc

import pytest
import torch
from torch import Tensor, nn

from fivefold.core.data import Batch
from fivefold.core.loss import cross_entropy
from fivefold.training.private.clipping import Flat
from fivefold.training.private.engine import Engine
from seeding import seeded


class Last(nn.Module):
    """The last state of a recurrent layer."""

    def __init__(self):
        super().__init__()
        self.layer = nn.GRU(4, 4, batch_first=True)

    def forward(self, x):
        return self.layer(x.view(len(x), 2, 4))[0][:, -1]


@pytest.mark.parametrize(
    "layer",
    [
        nn.Sequential(nn.Unflatten(1, (2, 4)), nn.Conv1d(2, 4, 3), nn.GroupNorm(2, 4), nn.Flatten()),
        nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8)),
        Last(),
    ],
    ids=["group norm", "layer norm", "recurrent"],
)  # fmt: skip
def test_the_graph_of_a_batch_is_let_go(layer):
    """A hook that holds what its own layer made is a ring through the library, which no collector sees."""
    net = nn.Sequential(layer, nn.LazyLinear(3))
    batch = Batch(torch.randn(6, 8, generator=seeded()), torch.tensor([0, 1, 2] * 2))
    net(batch.x)
    engine, left = Engine(method="together"), []
    for _ in range(4):
        engine.total(net, batch, cross_entropy, Flat(), 1.0)
        gc.collect()
        left.append(sum(type(o) is Tensor and o.grad_fn is not None for o in gc.get_objects()))
    assert left[1:] == left[:1] * 3
