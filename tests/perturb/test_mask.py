import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.errors import BadInput
from fivefold.core.schema import Column, Schema
from fivefold.perturb import Features, mean_score
from seeding import seeded

TABLE = Schema(columns=tuple(Column(name=n) for n in "abcd"), shape=(4,))
IMAGE = Schema(shape=(2, 6, 5))


def slow_twin(score, x, background, keep, member):
    """One example, one mask, one background row and one value at a time."""
    out = []
    for i, one in enumerate(x.flatten(1)):
        row = []
        for mask in keep[i]:
            mixed = []
            for behind in background.flatten(1):
                values = [one[j] if mask[member[j]] else behind[j] for j in range(len(one))]
                mixed.append(score(torch.stack(values).reshape(1, *x.shape[1:]))[0])
            row.append(torch.stack(mixed).mean(0))
        out.append(torch.stack(row))
    return torch.stack(out)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    rows=st.integers(1, 3),
    behind=st.integers(1, 3),
    masks=st.integers(1, 4),
    cells=st.sampled_from([1, 40, 10_000]),
    schema=st.sampled_from([TABLE, IMAGE]),
    seed=st.integers(0, 1000),
)
def test_agrees_with_one_value_at_a_time_for_any_chunk(rows, behind, masks, cells, schema, seed):
    rng = seeded(seed)
    groups = Features(grid=2).of(schema)
    x = torch.randn(rows, *schema.shape, generator=rng).double()
    background = torch.randn(behind, *schema.shape, generator=rng).double()
    keep = torch.rand(rows, masks, groups.n, generator=rng) < 0.5

    def score(z):
        flat = z.flatten(1)
        return torch.stack([flat.sin().sum(1), flat[:, 0] * flat[:, -1]], 1)

    found = mean_score(score, x, background, keep, groups, cells=cells)
    assert torch.allclose(found, slow_twin(score, x, background, keep, groups.member), atol=1e-9)


def test_each_mask_may_use_its_own_background_rows():
    background = torch.arange(12.0).reshape(3, 4)
    keep = torch.zeros(1, 2, 4).bool()
    draws = torch.tensor([[0, 2], [1, 1]])
    groups = Features().of(TABLE)
    found = mean_score(lambda z: z, torch.zeros(1, 4), background, keep, groups, draws=draws)
    assert torch.equal(found[0, 0], background[[0, 2]].mean(0).double())
    assert torch.equal(found[0, 1], background[1].double())


def test_missing_values_do_not_spread():
    keep = torch.tensor([[[True, False, False, False]]])
    x, background = torch.full((1, 4), torch.nan), torch.ones(1, 4)
    found = mean_score(lambda z: z, x, background, keep, Features().of(TABLE))
    assert found[0, 0].isnan().tolist() == [True, False, False, False]


def test_patches_cover_all_channels_and_differ_by_one_pixel_at_most():
    groups = Features(grid=4).of(IMAGE)
    assert (groups.n, groups.shape) == (16, (4, 4))
    member = groups.member.reshape(2, 6, 5)
    assert torch.equal(member[0], member[1])
    counts = member[0].flatten().bincount(minlength=16)
    assert set(counts.tolist()) <= {1, 2, 4}
    assert Features(grid=100).of(IMAGE).n == 30


def test_columns_that_belong_together_keep_their_place():
    groups = Features(together=(("d", "b"),)).of(TABLE)
    assert groups.names == ("a", "d + b", "c")
    assert groups.member.tolist() == [0, 1, 2, 1]


@pytest.mark.parametrize("together", [(("a", "x"),), (("a", "b"), ("b", "c")), (("a", "a"),)])
def test_columns_that_cannot_be_grouped_are_named(together):
    with pytest.raises(BadInput, match="a, b, c, d"):
        Features(together=together).of(TABLE)
