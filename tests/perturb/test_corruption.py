"""Accidents stay legal, repeat, and hurt more when they are more severe."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.schema import Column, Schema
from fivefold.perturb.corruption import SEVERITIES, corruptions
from seeding import seeded

MIXED = Schema(
    columns=(
        Column(name="age", kind="integer", low=0.0, high=100.0, center=40.0, scale=15.0),
        Column(name="income", low=0.0, center=3.0, scale=2.0, is_optional=True),
        Column(name="city", kind="category", categories=("a", "b", "c"), is_optional=True),
        Column(name="sex", kind="category", categories=("f", "m")),
    ),
    shape=(4,),
)
IMAGES = Schema(shape=(2, 9, 6))


def rows(seed, n=60):
    rng = seeded(seed)
    x = torch.stack(
        [
            torch.randint(0, 101, (n,), generator=rng).float(),
            torch.rand(n, generator=rng) * 9,
            torch.randint(0, 3, (n,), generator=rng).float(),
            torch.randint(0, 2, (n,), generator=rng).float(),
        ],
        dim=1,
    )
    x[torch.rand(n, generator=rng) < 0.2, 1] = torch.nan
    x[torch.rand(n, generator=rng) < 0.2, 2] = torch.nan
    return x


def of(name, schema):
    return next(c for c in corruptions(schema) if c.name == name)


@pytest.mark.parametrize("corruption", corruptions(MIXED), ids=lambda c: c.name)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), severity=st.sampled_from(SEVERITIES))
def test_a_table_stays_legal(corruption, seed, severity):
    x = rows(seed)
    kept = x.clone()
    new = corruption.at(severity, x, MIXED, seeded(seed))
    again = corruption.at(severity, x, MIXED, seeded(seed))
    assert torch.equal(new.nan_to_num(-9), again.nan_to_num(-9))
    assert torch.equal(x.nan_to_num(-9), kept.nan_to_num(-9))
    assert not new[:, [0, 3]].isnan().any()
    assert torch.equal(new[:, 0], new[:, 0].round())
    assert 0 <= new[:, 0].min() <= new[:, 0].max() <= 100
    assert new[:, 1].nan_to_num(0).min() >= 0
    assert set(new[:, 2].nan_to_num(0).tolist()) <= {0.0, 1.0, 2.0}
    assert set(new[:, 3].tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("corruption", corruptions(IMAGES), ids=lambda c: c.name)
@settings(max_examples=10, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), severity=st.sampled_from(SEVERITIES))
def test_an_image_stays_legal(corruption, seed, severity):
    x = torch.rand(5, 2, 9, 6, generator=seeded(seed))
    kept = x.clone()
    new = corruption.at(severity, x, IMAGES, seeded(seed))
    assert new.shape == x.shape
    assert 0 <= new.min() <= new.max() <= 1
    assert torch.equal(new, corruption.at(severity, x, IMAGES, seeded(seed)))
    assert torch.equal(x, kept)
    assert not torch.equal(new, x)


@pytest.mark.parametrize("schema", [MIXED, IMAGES], ids=["table", "images"])
def test_more_severe_means_further_away(schema):
    x = rows(0, 400) if schema.is_table else torch.rand(100, 2, 9, 6, generator=seeded())
    for corruption in corruptions(schema):
        away = []
        for severity in SEVERITIES:
            new = corruption.at(severity, x, schema, seeded(1))
            away.append(float((new.nan_to_num(-20) - x.nan_to_num(-20)).abs().mean()))
        assert away == sorted(away), corruption.name
        assert away[0] < away[-1]


def test_each_does_what_its_name_says():
    x = rows(3, 2000)
    lost = of("missing", MIXED).at(3, x, MIXED, seeded())
    new_gaps = lost[:, 1].isnan() & ~x[:, 1].isnan()
    assert abs(float(new_gaps.sum() / (~x[:, 1].isnan()).sum()) - 0.2) < 0.04
    changed = lost[:, 0] != x[:, 0]
    assert (lost[changed, 0] == 40).all()
    assert torch.equal(lost[:, 3], x[:, 3])
    flipped = of("wrong category", MIXED).at(5, x, MIXED, seeded())
    assert abs(float((flipped[:, 3] != x[:, 3]).float().mean()) - 0.5) < 0.05
    assert torch.equal(flipped[:, :2].nan_to_num(-9), x[:, :2].nan_to_num(-9))
    shifted = of("shift", MIXED).at(1, x, MIXED, seeded())
    assert ((shifted != x) & ~x.isnan()).sum(1).max() == 1
    coarse = of("rounding", MIXED).at(2, x, MIXED, seeded())[:, 1]
    inside = ~coarse.isnan() & (coarse > 0)
    assert ((coarse[inside] - 3) / 2 % 1 == 0).all()
    swapped = of("swap", MIXED).at(5, x, MIXED, seeded())
    assert set(swapped[:, 0].tolist()) <= set(x[:, 0].tolist())


def test_blur_is_the_plain_weighted_mean():
    x = torch.rand(1, 1, 9, 9, generator=seeded())
    schema = Schema(shape=(1, 9, 9))
    got = of("blur", schema).at(5, x, schema, seeded())[0, 0]
    width = 0.15 * 9
    weight = torch.exp(-0.5 * (torch.arange(-5, 6) / width) ** 2)
    want = sum(
        weight[i + 5] * weight[j + 5] * x[0, 0, min(max(4 + i, 0), 8), min(max(4 + j, 0), 8)]
        for i in range(-5, 6)
        for j in range(-5, 6)
    )
    torch.testing.assert_close(got[4, 4], want / weight.sum() ** 2)


def test_only_what_fits_is_offered():
    numbers = Schema(columns=MIXED.columns[:2], shape=(2,))
    categories = Schema(columns=MIXED.columns[2:], shape=(2,))
    assert [c.name for c in corruptions(numbers)] == [
        "noise", "missing", "rounding", "shift", "swap",
    ]  # fmt: skip
    assert [c.name for c in corruptions(categories)] == ["wrong category", "swap"]
    assert len(corruptions(IMAGES)) == 5


@pytest.mark.parametrize("severity", [0, 6, -1])
def test_a_severity_that_does_not_exist_is_refused(severity):
    with pytest.raises(ValueError, match="severity"):
        corruptions(IMAGES)[0].at(severity, torch.rand(1, 2, 9, 6), IMAGES, seeded())
