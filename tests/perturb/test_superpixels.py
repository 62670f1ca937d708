from collections import deque

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.errors import NotMeasurable
from fivefold.core.schema import Schema
from fivefold.perturb import Features, superpixel_groups
from fivefold.perturb.superpixels import _connected, _parts
from seeding import seeded


def reached(label, start):
    """Every pixel that hangs together with `start`, by walking."""
    height, width = label.shape
    seen, todo = {start}, deque([start])
    while todo:
        i, j = todo.popleft()
        for a, b in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
            inside = 0 <= a < height and 0 <= b < width
            if inside and (a, b) not in seen and label[a, b] == label[i, j]:
                seen.add((a, b))
                todo.append((a, b))
    return seen


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    kinds=st.integers(1, 4),
    seed=st.integers(0, 999),
)
def test_parts_are_what_walking_reaches(height, width, kinds, seed):
    label = torch.randint(kinds, (height, width), generator=seeded(seed))
    part = _parts(label)
    for i in range(height):
        for j in range(width):
            same = {(int(a), int(b)) for a, b in (part == part[i, j]).nonzero()}
            assert same == reached(label, (i, j))
    joined = _connected(label)
    for one in joined.unique().tolist():
        places = {(int(a), int(b)) for a, b in (joined == one).nonzero()}
        assert places == reached(joined, min(places))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    channels=st.sampled_from([1, 3]),
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    n=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_every_pixel_is_in_one_piece_of_all_channels(channels, height, width, n, seed):
    image = torch.rand(channels, height, width, generator=seeded(seed))
    groups = superpixel_groups(image, n)
    member = groups.member.view(channels, -1)
    assert (member == member[0]).all()
    assert member.unique().tolist() == list(range(groups.n))
    assert len(set(groups.names)) == groups.n
    again = superpixel_groups(image.clone(), n)
    assert torch.equal(groups.member, again.member)


def test_pieces_follow_colours():
    """A bright disc on dark ground: hardly a piece lies on both sides of its edge."""
    row, column = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    disc = (row - 15) ** 2 + (column - 17) ** 2 < 80
    image = disc.float()[None] * 0.8 + 0.05 * torch.rand(1, 32, 32, generator=seeded(1))
    groups = superpixel_groups(image, 16)
    share = torch.stack(
        [disc.flatten()[groups.member == i].double().mean() for i in range(groups.n)]
    )
    assert ((share < 0.02) | (share > 0.98)).all()
    assert 8 <= groups.n <= 24


def test_a_flat_image_is_cut_about_evenly():
    groups = superpixel_groups(torch.full((1, 40, 40), 0.5), 16)
    size = groups.member.bincount()
    assert groups.n == 16
    assert size.min() >= 80
    assert size.max() <= 122


def test_images_of_one_schema_do_not_share_their_pieces():
    with pytest.raises(NotMeasurable, match="superpixels of its own"):
        Features(pieces=9).of(Schema(shape=(1, 4, 4)))
