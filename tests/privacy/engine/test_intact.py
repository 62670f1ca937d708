"""Training that looks normal while adapters are not used or frozen weights drift is found."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from fivefold.core.errors import BadInput
from fivefold.models import TorchModel
from fivefold.privacy import DPSGD
from fivefold.privacy import dpsgd as module
from fivefold.privacy.engine.intact import check_intact
from seeding import seeded


class Adapted(nn.Module):
    """A frozen layer with a low-rank one beside it."""

    def __init__(self, n_in: int, n_out: int, *, is_used: bool = True) -> None:
        super().__init__()
        self.base = nn.Linear(n_in, n_out).requires_grad_(False)
        self.down, self.up = nn.Linear(n_in, 2, bias=False), nn.Linear(2, n_out, bias=False)
        nn.init.zeros_(self.up.weight)
        self.is_used, self.is_merged = is_used, False

    def forward(self, x: Tensor) -> Tensor:
        is_beside = self.is_used and not self.is_merged
        return self.base(x) + (self.up(self.down(x)) if is_beside else 0)

    def merge(self) -> None:
        self.base.weight += self.up.weight @ self.down.weight
        self.is_merged = True


def network(is_used=True):
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), Adapted(5, 2, is_used=is_used))


def moved(net):
    net = deepcopy(net)
    with torch.no_grad():
        for p in net.parameters():
            if p.requires_grad:
                p += torch.randn(p.shape, generator=seeded())
    return net


def test_adapters_are_trained_and_nothing_frozen_moves(untrained, table):
    model = untrained.with_net(network())
    trained = DPSGD(noise_multiplier=1.0, steps=5, method="together")(
        model, table.splits.seen, rng=seeded()
    )
    assert isinstance(trained, TorchModel)
    assert torch.equal(
        trained.net.get_parameter("2.base.weight"), model.net.get_parameter("2.base.weight")
    )
    assert trained.net.get_parameter("2.up.weight").any()


def test_a_network_that_was_trained_well_passes():
    net = network()
    check_intact(net, moved(net), torch.ones(4, 6))


def test_a_frozen_weight_that_moved_is_found():
    net = network()
    after = moved(net)
    after.get_parameter("2.base.bias").data[0] += 1e-7
    with pytest.raises(BadInput, match=r"2\.base\.bias has moved"):
        check_intact(net, after, torch.ones(4, 6))


def test_a_weight_that_was_never_trained_is_found():
    net = network()
    after = moved(net)
    after.get_parameter("2.down.weight").data.copy_(net.get_parameter("2.down.weight"))
    with pytest.raises(BadInput, match=r"2\.down\.weight has not moved"):
        check_intact(net, after, torch.ones(4, 6))


def test_an_adapter_that_is_not_used_is_found():
    net = network(is_used=False)
    with pytest.raises(BadInput, match="merged"):
        check_intact(net, moved(net), torch.ones(4, 6))


def test_the_step_ends_with_the_check(untrained, table, monkeypatch):
    """An optimizer that moves what it should not is not believed."""

    def fit(net, *_, **__):
        for p in net.parameters():
            p.data += 1.0

    monkeypatch.setattr(module, "fit", fit)
    with pytest.raises(BadInput, match="frozen"):
        DPSGD(noise_multiplier=1.0, steps=1)(
            untrained.with_net(network()), table.splits.seen, rng=seeded()
        )
