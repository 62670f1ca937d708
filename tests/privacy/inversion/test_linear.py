"""Quotients of gradients are inputs."""

import torch
from torch import nn

from fivefold.core.loss import cross_entropy
from fivefold.privacy.inversion.linear import Range, first_linear, solved
from fivefold.privacy.inversion.sight import Sight
from fivefold.privacy.inversion.update import Client
from seeding import seeded

WIDE = Range(torch.full((6,), -5.0), torch.full((6,), 5.0))


def a_net(units=40):
    net = nn.Sequential(nn.Linear(6, units), nn.ReLU(), nn.Linear(units, 3))
    with torch.no_grad():
        for w in net.parameters():
            w.copy_(torch.randn(w.shape, generator=seeded(len(w))))
    return net


def recovered(net, x, y, sight=Sight(), steps=1):
    seen = Client(net, cross_entropy, 0.1, steps, sight).seen(x, y, seeded())
    return solved(seen, "0", x.shape[1], WIDE, torch.zeros(6))


def test_one_row_comes_back_exactly():
    x, y = torch.randn(20, 1, 6, generator=seeded(1)), torch.zeros(20, 1).long()
    for steps in (1, 5):
        torch.testing.assert_close(recovered(a_net(), x, y, steps=steps), x, atol=1e-4, rtol=1e-3)


def test_clipping_alone_hides_nothing():
    x, y = torch.randn(20, 1, 6, generator=seeded(1)), torch.zeros(20, 1).long()
    sight = Sight(clip_norm=1e-2, is_whole=False)
    torch.testing.assert_close(recovered(a_net(), x, y, sight), x, atol=1e-4, rtol=1e-3)


def test_rows_that_move_units_alone_come_back_from_a_batch():
    """Each unit answers to one row: the weights are the rows, and other rows point elsewhere."""
    x = 3 * torch.eye(6)[None, :4]
    first, last = nn.Linear(6, 12), nn.Linear(12, 3)
    with torch.no_grad():
        first.weight.copy_(torch.eye(6).repeat(2, 1))
        first.bias.fill_(-1.0)
        last.weight.copy_(torch.randn(3, 12, generator=seeded()))
    net = nn.Sequential(first, nn.ReLU(), last)
    found = recovered(net, x, torch.tensor([[0, 1, 2, 0]]))[0]
    gap = torch.cdist(found, x[0])
    assert float(gap.min(0).values.max()) < 1e-4


def test_noise_of_one_clip_norm_hides_the_row():
    x, y = torch.randn(50, 1, 6, generator=seeded(1)), torch.zeros(50, 1).long()
    sight = Sight(clip_norm=1.0, noise_multiplier=1.0, is_whole=False)
    gap = (recovered(a_net(), x, y, sight) - x).square().mean().sqrt()
    assert float(gap) > 1.0


def test_a_network_that_answers_to_nothing_names_the_middle():
    net = a_net()
    with torch.no_grad():
        net.get_parameter("0.bias").fill_(-1e3)
    x = torch.ones(1, 2, 6)
    torch.testing.assert_close(recovered(net, x, torch.zeros(1, 2).long()), torch.zeros(1, 2, 6))


def test_only_a_layer_that_stands_first_reads_the_inputs():
    assert first_linear(nn.Sequential(nn.Sequential(nn.Linear(2, 2)), nn.ReLU())) == "0.0"
    assert first_linear(nn.Linear(2, 2)) == ""
    assert first_linear(nn.Sequential(nn.ReLU(), nn.Linear(2, 2))) is None
    assert first_linear(nn.Sequential(nn.Linear(2, 2, bias=False))) is None
    frozen = nn.Linear(2, 2)
    frozen.bias.requires_grad_(False)
    assert first_linear(frozen) is None
