from copy import deepcopy
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fivefold.core.errors import FivefoldError, NotMeasurable
from fivefold.core.fingerprint import of_state
from fivefold.core.lineage import claim_of
from fivefold.core.schema import Column, Schema
from fivefold.efficiency import Prune
from fivefold.efficiency.link import links
from fivefold.efficiency.prune import random_inputs
from fivefold.efficiency.shrink import importance, kept, mask, pruned, shrink, verify
from fivefold.models import MLP, ConvNet, ResNet, TorchModel, fresh, load_model, save_model
from fivefold.models.int8 import Int8Linear
from fivefold.models.residual import Residual
from seeding import seeded

few = settings(max_examples=20, deadline=None, derandomize=True)
shares = st.floats(0.05, 1.0)


def numel(net):
    return sum(p.numel() for p in net.parameters())


def shaken(net, seed):
    """Give every tensor values unlike its start, so that a mixed-up index shows."""
    own = seeded(seed)
    with torch.no_grad():
        for tensor in net.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=own) * 1.5 + 0.1)
                tensor.mul_(torch.randn(tensor.shape, generator=own).sign())
        for layer in net.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                layer.get_buffer("running_var").abs_()
    return net.eval().double()


def mlp(widths):
    layers = [nn.Linear(3, widths[0])]
    for a, b in pairwise(widths):
        layers += [nn.BatchNorm1d(a), nn.Sigmoid(), nn.Linear(a, b)]
    return nn.Sequential(nn.Sequential(*layers), nn.Tanh(), nn.Linear(widths[-1], 2))


def convnet(widths, norm):
    a, b, c = widths
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(2, 2 * a, 3, padding=1), norm(2 * a), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Sequential(nn.Conv2d(2 * a, 2 * b, 3), norm(2 * b), nn.ELU()),
        nn.Flatten(),
        nn.BatchNorm1d(2 * b * 4),
        nn.Linear(2 * b * 4, c),
        nn.GELU(),
        nn.Linear(c, 3),
    )


def check(net, share, x):
    """Shrink and mask by hand, and compare all three."""
    small, masked = pruned(net, share, x), deepcopy(net)
    chosen = [kept(link, share) for link in links(net)]
    for link, units in zip(links(masked), chosen, strict=True):
        mask(link, units)
    assert torch.allclose(small(x), masked(x), rtol=1e-9, atol=1e-9)
    assert numel(small) <= numel(net)
    assert [link.width for link in links(small)] == [len(units) for units in chosen]


@few
@given(st.lists(st.integers(1, 9), min_size=1, max_size=3), shares, st.integers(0, 1000))
def test_shrunk_is_masked_for_mlps(widths, share, seed):
    x = torch.randn(7, 3, generator=seeded(seed)).double()
    check(shaken(mlp(widths), seed), share, x)


@few
@given(
    st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 6)),
    shares,
    st.sampled_from([nn.BatchNorm2d, lambda n: nn.GroupNorm(n // 2, n), lambda n: nn.Identity()]),
    st.integers(0, 1000),
)
def test_shrunk_is_masked_for_convolutions(widths, share, norm, seed):
    x = torch.rand(5, 2, 8, 8, generator=seeded(seed)).double()
    check(shaken(convnet(widths, norm), seed), share, x)


@few
@given(st.integers(1, 5), st.integers(1, 4), shares, st.integers(0, 1000))
def test_of_residual_blocks_only_the_inner_channels_go(inner, outer, share, seed):
    """The shapes at both ends of a block stay, with a plain and with a projecting shortcut."""

    def block(a, b, shortcut):
        body = [nn.Conv2d(a, 2 * inner, 3, padding=1), nn.GroupNorm(inner, 2 * inner), nn.ReLU()]
        return Residual(nn.Sequential(*body, nn.Conv2d(2 * inner, b, 3, padding=1)), shortcut)

    net = nn.Sequential(
        nn.Conv2d(1, outer, 3, padding=1),
        block(outer, outer, nn.Identity()),
        block(outer, outer + 1, nn.Conv2d(outer, outer + 1, 1)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(outer + 1, 2),
    )
    net = shaken(net, seed)
    assert [link.width for link in links(net)] == [2 * inner, 2 * inner]
    check(net, share, torch.rand(3, 1, 6, 6, generator=seeded(seed)).double())


def test_masking_silences_exactly_the_others():
    """A pruned unit's own weights no longer matter in the masked network; a kept one's do."""
    net = shaken(mlp([5]), 1)
    x = torch.randn(4, 3, generator=seeded()).double()
    (link,) = links(net)
    mask(link, torch.tensor([1, 4]))
    before = net(x)
    with torch.no_grad():
        link.maker.weight[[0, 2, 3]] += 9
    assert torch.equal(net(x), before)
    with torch.no_grad():
        link.maker.weight[4] += 9
    assert not torch.equal(net(x), before)


def test_importance_by_hand():
    (link,) = links(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)))
    with torch.no_grad():
        link.maker.weight.copy_(torch.tensor([[3.0, 4.0], [0.6, 0.8]]))
        link.reader.weight.copy_(torch.tensor([[-2.0, 30.0]]))
    assert importance(link).tolist() == pytest.approx([10.0, 30.0])
    assert kept(link, 0.5).tolist() == [1]


def test_a_convolution_counts_all_its_positions():
    (link,) = links(nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(8, 1)))
    with torch.no_grad():
        link.maker.weight.fill_(1.0)
        link.reader.weight.copy_(torch.tensor([[1.0, 1, 1, 1, 0, 0, 0, 1.5]]))
    assert importance(link).tolist() == pytest.approx([2.0, 1.5])


def test_channels_of_one_group_go_together():
    net = shaken(nn.Sequential(nn.Conv2d(1, 6, 1), nn.GroupNorm(3, 6), nn.Conv2d(6, 1, 1)), 2)
    small = pruned(net, 0.34, torch.rand(2, 1, 4, 4).double())
    (link,) = links(small)
    assert link.width == 4
    assert link.norms[0].num_groups == 2


def test_the_gate_stops_a_wrong_shrinking():
    net, x = shaken(mlp([6]), 3), torch.randn(4, 3).double()
    (link,), small = links(net), deepcopy(net)
    shrink(links(small)[0], kept(link, 0.5).flip(0)[:2])
    with pytest.raises(FivefoldError, match="differently"):
        verify(net, small, x)


def test_the_gate_stops_a_network_that_answers_with_nothing(trained):
    with pytest.raises(FivefoldError, match="differently"):
        verify(trained.net, trained.net, torch.full((2, 6), torch.inf))


def test_an_important_network_keeps_its_answers(trained, table):
    """The point: useless units go, and what the model knows stays."""
    wide = deepcopy(trained.net)
    with torch.no_grad():
        wide.body[0].weight[::2] *= 0.01
        wide.body[0].bias[::2] *= 0.01
    x = table.splits.test.x
    small = Prune(share=0.5, epochs=0)(trained.with_net(wide), table.splits.seen, rng=seeded())
    assert [link.width for link in links(small.net)] == [8]
    assert torch.allclose(small.predict(x), trained.with_net(wide).predict(x), atol=0.1)


def test_recovery_helps(trained, table):
    loss = nn.functional.cross_entropy
    train = table.splits.seen.train
    cut, recovered = (
        Prune(share=0.75, epochs=e)(trained, table.splits.seen, rng=seeded()) for e in (0, 20)
    )
    assert loss(recovered.predict(train.x), train.y) < loss(cut.predict(train.x), train.y)


def test_no_share_changes_nothing(trained, table):
    same = Prune(share=0.0)(trained, table.splits.seen, rng=seeded())
    assert of_state(same.net.state_dict()) == of_state(trained.net.state_dict())


def test_all_leaves_one_unit(trained, table):
    least = Prune(share=1.0, epochs=0)(trained, table.splits.seen, rng=seeded())
    assert [link.width for link in links(least.net)] == [1]


def test_the_architecture_tells_the_new_widths(trained, table):
    small = Prune(share=0.25, epochs=0)(trained, table.splits.seen, rng=seeded())
    assert isinstance(small, TorchModel)
    assert small.architecture == MLP(hidden=(12,))
    again = small.architecture.build(small.schema, small.task, seeded())
    again.load_state_dict(small.net.state_dict())


def test_a_residual_network_keeps_its_architecture_and_comes_back(images, tmp_path):
    """Inner channels are not told by its one width; the file tells them."""
    start = fresh(ResNet(width=8, blocks=(1, 1)), images, seeded())
    small = Prune(share=0.5, epochs=1)(start, images.splits.seen, rng=seeded())
    assert isinstance(small, TorchModel)
    assert small.architecture == start.architecture
    assert numel(small.net) < numel(start.net)
    save_model(small, tmp_path)
    x = images.splits.test.x
    assert torch.equal(load_model(tmp_path).predict(x), small.predict(x))


@pytest.mark.parametrize("share", [0.3, 0.5])
def test_a_convolutional_network_becomes_a_narrower_one_where_its_width_can_tell(share, images):
    start = fresh(ConvNet(width=8, hidden=16), images, seeded())
    small = Prune(share=share, epochs=0)(start, images.splits.seen, rng=seeded())
    assert isinstance(small, TorchModel)
    widths = [link.width for link in links(small.net)]
    assert widths == ([6, 12, 23, 12] if share == 0.3 else [4, 8, 16, 8])
    assert small.architecture == (
        ConvNet(width=4, hidden=8) if share == 0.5 else start.architecture
    )


def test_only_recovery_reads_data():
    assert claim_of(Prune(), 5).reads_data
    assert not claim_of(Prune(epochs=0), 5).reads_data
    assert not claim_of(Prune(share=0.0), 5).reads_data


def test_frozen_weights_stay_frozen():
    net = mlp([4]).eval()
    links(net)[0].maker.weight.requires_grad_(False)
    (small,) = links(pruned(net, 0.5, torch.randn(3, 3)))
    assert not small.maker.weight.requires_grad
    assert small.reader.weight.requires_grad


SHARED = nn.Linear(4, 4)
NORMED = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2)], "LayerNorm"),
        ([nn.Linear(3, 4), Int8Linear(4, 4), nn.Linear(4, 2)], "Int8Linear"),
        ([nn.Linear(3, 4), nn.Softmax(-1), nn.Linear(4, 2)], "Softmax"),
        ([nn.Linear(3, 4), nn.GRU(4, 4), nn.Linear(4, 2)], "GRU"),
        ([nn.Linear(3, 4), NORMED, nn.Linear(4, 2)], "ParametrizedLinear"),
        ([nn.Linear(3, 2)], "follow one another"),
        ([nn.Linear(3, 4), SHARED, SHARED, nn.Linear(4, 2)], "used twice"),
        ([nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 1, groups=2)], "groups"),
        ([nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Linear(4, 2)], "Conv2d"),
        ([nn.Linear(3, 4), nn.Flatten(), nn.Linear(8, 2)], "Linear"),
        ([nn.Conv2d(1, 4, 1), nn.Flatten(2), nn.Linear(4, 2)], "start_dim=2"),
        ([nn.Conv2d(1, 4, 1), nn.Flatten(), nn.GroupNorm(2, 8), nn.Linear(8, 2)], "GroupNorm"),
    ],
)
def test_what_cannot_be_followed_is_refused(layers, reason):
    with pytest.raises(NotMeasurable, match=reason):
        links(nn.Sequential(*layers))


def test_a_network_that_is_no_sequence_is_refused(trained, table):
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Linear(6, 2)

        def forward(self, x):
            return self.one(x)

    odd = TorchModel(Odd(), trained.task, trained.schema, trained.architecture)
    with pytest.raises(NotMeasurable, match="Odd"):
        Prune()(odd, table.splits.seen, rng=seeded())


def test_random_inputs_are_possible_ones():
    columns = (
        Column(name="a", low=0.0, high=1.0, center=0.5, scale=5.0),
        Column(name="b"),
        Column(name="c", kind="category", categories=("x", "y", "z")),
    )
    x = random_inputs(Schema(columns=columns, shape=(3,)), 200, seeded())
    assert x[:, 0].min() == 0
    assert x[:, 0].max() == 1
    assert sorted(x[:, 2].unique().tolist()) == [0, 1, 2]
    assert random_inputs(Schema(shape=(1, 4, 4)), 2, seeded()).shape == (2, 1, 4, 4)
