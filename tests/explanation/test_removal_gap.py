import pytest
import torch
from games import of_columns, splits_of

from fivefold.core.data import Batch, Seen, Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Evidence
from fivefold.core.schema import Column, Schema
from fivefold.explanation import (
    BlurRemoval,
    CopulaRemoval,
    ExactShapley,
    GaussianRemoval,
    IntegratedGradients,
    MarginalRemoval,
    NeighbourRemoval,
    RemovalGap,
)
from fivefold.explanation.removal_gap import suited
from fivefold.explanation.sample import Sample
from seeding import seeded


def model_of(n):
    return of_columns(n, lambda v: v[:, 0] + torch.relu(v[:, 1]) - v[:, 2] * 0.5)


def measured(x, **settings):
    found = RemovalGap(**settings)(model_of(x.shape[1]), splits_of(x), rng=seeded())
    gap, agreement = found
    assert isinstance(gap, Evidence)
    assert isinstance(agreement, Evidence)
    return gap, agreement


def test_columns_that_depend_on_one_another_have_a_gap_and_independent_ones_hardly_any():
    rng = seeded(1)
    free = torch.randn(400, 4, generator=rng)
    tied = free + 2.0 * torch.randn(400, 1, generator=rng)
    small, alike = measured(free, n_background=200)
    large, unlike = measured(tied, n_background=200)
    assert small.value < 0.15 < 0.3 < large.low
    assert alike.value > unlike.value
    assert small.floor is not None
    assert small.high < 0.5 * small.floor


def test_the_same_removal_has_no_gap():
    x = torch.randn(100, 4, generator=seeded(2))
    gap, agreement = measured(x, other=MarginalRemoval())
    assert gap.value == 0
    assert agreement.value == 1
    sure, _ = measured(x, other=GaussianRemoval(shrinkage=1.0), explainer=ExactShapley())
    assert sure.value < 1e-5


def test_chooses_what_suits_the_inputs(images):
    x = torch.randn(20, 2, generator=seeded(3))
    numbers = Schema(columns=(Column(name="a"), Column(name="b")), shape=(2,))
    mixed = Schema(columns=(Column(name="a"), Column(name="k", kind="category", categories=("x", "y"))), shape=(2,))  # fmt: skip
    assert suited(numbers, Sample(x, x)) == CopulaRemoval()
    assert suited(mixed, Sample(x, x)) == NeighbourRemoval()
    assert isinstance(suited(images.schema, Sample(x, x)), BlurRemoval)


def test_what_cannot_be_compared_is_refused():
    x = torch.randn(60, 3, generator=seeded(4))
    with pytest.raises(NotMeasurable, match="does not let its removal be chosen"):
        measured(x, explainer=IntegratedGradients())
    flat = of_columns(3, lambda v: v[:, 0] * 0)
    with pytest.raises(NotMeasurable, match="stay the same"):
        RemovalGap()(flat, splits_of(x), rng=seeded())


def test_one_row_has_a_wide_interval_and_no_chance():
    x = torch.randn(40, 3, generator=seeded(5))
    y = torch.zeros(40)
    splits = Splits(Seen(Batch(x[1:], y[1:]), Batch(x[1:], y[1:])), Batch(x[:1], y[:1]))
    gap = RemovalGap()(model_of(3), splits, rng=seeded())[0]
    assert isinstance(gap, Evidence)
    assert gap.floor is None
    assert gap.high == torch.inf
