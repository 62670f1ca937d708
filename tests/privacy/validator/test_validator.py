"""Examples that meet in a layer or a loss are found; layers that keep them apart pass."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fivefold.core.data import Batch
from fivefold.core.errors import BadInput
from fivefold.privacy.validator import check_separate, first_mixing, with_group_norm
from seeding import seeded


def cross_entropy(forward, batch):
    return F.cross_entropy(forward(batch.x), batch.y, reduction="none")


def contrastive(forward, batch):
    """In-batch negatives: each example against all others."""
    told = F.normalize(forward(batch.x), dim=1)
    return F.cross_entropy(told @ told.T, torch.arange(batch.size), reduction="none")


def in_batch_softmax(forward, batch):
    return -F.log_softmax(forward(batch.x)[:, 0], dim=0)


def images(n=6):
    return Batch(torch.rand(n, 4, 5, 5, generator=seeded(1)), torch.arange(n) % 3)


def rows(n=6, width=8):
    return Batch(torch.randn(n, width, generator=seeded(2)), torch.arange(n) % 3)


def linear():
    return nn.Sequential(nn.Linear(8, 3))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.MultiheadAttention(4, 2, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        tokens = x.view(len(x), 2, 4)
        return self.head(self.inner(tokens, tokens, tokens, need_weights=False)[0].mean(1))


SEPARATE = {
    "layer norm": nn.Sequential(nn.Linear(8, 6), nn.LayerNorm(6), nn.Linear(6, 3)),
    "dropout": nn.Sequential(nn.Linear(8, 6), nn.Dropout(0.5), nn.Linear(6, 3)),
    "attention": Attention(),
}


@pytest.mark.parametrize("name", SEPARATE)
def test_layers_that_treat_each_example_by_itself_pass(name):
    check_separate(SEPARATE[name], rows(), cross_entropy)


def test_group_norm_passes_and_batch_norm_is_named():
    body = (nn.Conv2d(4, 4, 3), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(36, 3))
    assert first_mixing(nn.Sequential(*body), images(), cross_entropy) is None
    bad = nn.Sequential(body[0], nn.BatchNorm2d(4), *body[2:])
    assert first_mixing(bad, images(), cross_entropy) == ("1", "BatchNorm2d")
    with pytest.raises(BadInput, match="BatchNorm2d"):
        check_separate(bad, images(), cross_entropy)


@pytest.mark.parametrize("loss", [contrastive, in_batch_softmax])
def test_a_loss_that_compares_examples_is_found(loss):
    assert first_mixing(linear(), rows(), loss) == ("", "loss")


def test_a_loss_that_is_an_average_already_is_refused():
    with pytest.raises(BadInput, match="one number for each"):
        check_separate(linear(), rows(), lambda f, b: F.cross_entropy(f(b.x), b.y))


def test_one_example_shows_nothing():
    with pytest.raises(BadInput, match="two examples"):
        check_separate(linear(), rows(1), cross_entropy)


def test_looking_changes_nothing():
    net, state = nn.Sequential(nn.Linear(8, 3), nn.BatchNorm1d(3)).eval(), torch.get_rng_state()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    first_mixing(net, rows(), cross_entropy)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert not net.training


def test_conversion_keeps_scales_and_makes_examples_separate():
    net = nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.Flatten(), nn.Linear(54, 3))
    with torch.no_grad():
        net[1].weight.uniform_(generator=seeded(3))  # pyright: ignore[reportCallIssue]
        net[1].bias.uniform_(generator=seeded(4))  # pyright: ignore[reportCallIssue]
    net[1].bias.requires_grad_(False)
    made = with_group_norm(net)
    assert isinstance(net[1], nn.BatchNorm2d)
    assert isinstance(made[1], nn.GroupNorm)  # pyright: ignore[reportIndexIssue]
    assert made[1].num_groups == 3  # pyright: ignore[reportIndexIssue]
    assert torch.equal(made[1].weight, net[1].weight)  # pyright: ignore[reportArgumentType, reportIndexIssue]
    assert torch.equal(made[1].bias, net[1].bias)  # pyright: ignore[reportArgumentType, reportIndexIssue]
    assert (made[1].weight.requires_grad, made[1].bias.requires_grad) == (True, False)  # pyright: ignore[reportIndexIssue]
    assert first_mixing(net, images(), cross_entropy) is not None
    assert first_mixing(made, images(), cross_entropy) is None


def test_conversion_of_plain_shared_and_scaleless_layers():
    shared = nn.BatchNorm1d(8)
    net = nn.Sequential(shared, nn.Linear(8, 8), shared, nn.BatchNorm1d(8, affine=False))
    made = with_group_norm(net)
    assert made[0] is made[2]  # pyright: ignore[reportIndexIssue]
    assert made[3].weight is None  # pyright: ignore[reportIndexIssue]
    assert isinstance(with_group_norm(nn.BatchNorm1d(7)), nn.GroupNorm)
    assert with_group_norm(linear())(rows().x).shape == (6, 3)
