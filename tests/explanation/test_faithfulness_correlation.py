from typing import Any

import pytest
import torch
from games import of_columns, splits_of
from hypothesis import given, settings
from hypothesis import strategies as st
from pretenders import Doubled, Guesses

from fivefold.core.errors import NotMeasurable
from fivefold.explanation import ExactShapley, FaithfulnessCorrelation, LeverageSHAP
from fivefold.explanation.sample import Sample, explained
from fivefold.explanation.trust.correlation import pearson
from fivefold.explanation.trust.fall import claimed, falls
from fivefold.explanation.trust.sets import sets_of_any_size, sets_of_size
from seeding import seeded


def measured(probe, model, splits) -> Any:
    (found,) = probe(model, splits, rng=seeded(3))
    return found


def test_exact_values_are_better_than_guesses_and_guesses_are_at_the_floor(trained, table):
    exact = measured(FaithfulnessCorrelation(explainer=ExactShapley()), trained, table.splits)
    guess = measured(FaithfulnessCorrelation(explainer=Guesses()), trained, table.splits)
    assert exact.low > 0.8
    assert exact.low > guess.high
    assert guess.low < guess.floor < guess.high
    assert abs(exact.floor) < 0.3


def test_pictures_too(trained_images, images):
    found = measured(FaithfulnessCorrelation(), trained_images, images.splits)
    assert found.low > found.floor + 0.3


def test_sizes_do_not_matter_and_a_linear_model_is_told_exactly():
    w = torch.tensor([1.0, -2.0, 3.0, 0.5, 0.0]).double()
    model, splits = (
        of_columns(5, lambda x: x @ w),
        splits_of(torch.randn(80, 5, generator=seeded(1))),
    )
    for explainer in (ExactShapley(), Doubled()):
        assert measured(
            FaithfulnessCorrelation(explainer=explainer), model, splits
        ).value == pytest.approx(1)


def test_rows_that_never_move_are_left_out_and_counted():
    x = torch.cat([torch.randn(50, 3, generator=seeded(1)), torch.full((10, 3), -9.0)])
    x[:20] = -9.0
    model = of_columns(3, lambda v: v.clamp(min=0).sum(1) * (v[:, 0] > -5))
    splits = splits_of(x, 40)
    splits = splits._replace(seen=splits.seen._replace(train=splits.seen.train.take(slice(0, 20))))
    found = measured(FaithfulnessCorrelation(explainer=ExactShapley(), share=0.4), model, splits)
    assert found.n < 40
    assert f"{40 - found.n} rows are left out" in str(found.note)


def test_an_answer_that_never_changes_has_no_reasons():
    flat = of_columns(3, lambda x: x[:, 0] * 0)
    with pytest.raises(NotMeasurable, match="stay the same"):
        FaithfulnessCorrelation()(flat, splits_of(torch.randn(60, 3)), rng=seeded())


def test_a_model_of_the_number_of_features_shown_cannot_be_ranked():
    same = of_columns(4, lambda x: x.sum(1))
    x = torch.cat([torch.zeros(20, 4), torch.ones(40, 4)])
    with pytest.raises(NotMeasurable, match="stay the same"):
        FaithfulnessCorrelation()(same, splits_of(x, 40), rng=seeded())


def test_unsure_attributions_are_counted(trained, table):
    rough = FaithfulnessCorrelation(explainer=LeverageSHAP(budget=8, tolerance=1e-9))
    assert "; 0 of" not in str(measured(rough, trained, table.splits).note)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(2, 7), seed=st.integers(0, 1000))
def test_agrees_with_hiding_set_by_set(n, seed):
    """Bhatt, Weller and Moura, 2020, equation 2: the correlation of sums with falls, one set at a time."""
    from numpy import corrcoef

    a = torch.randn(n, generator=seeded(seed)).double()
    model = of_columns(n, lambda v: (v @ a).tanh() + v[:, 0] * v[:, 1])
    x, background = (torch.randn(k, n, generator=seeded(seed + k)) for k in (3, 4))
    rows = Sample(x, background)
    found = explained(ExactShapley(), model, rows, seeded())
    hidden = sets_of_size(3, 12, n, max(1, n // 2), seeded(seed))
    got = pearson(claimed(found.values, hidden), falls(model, found, rows, hidden))
    for i in range(3):
        sums, drops = [], []
        for s in hidden[i]:
            members = s.nonzero()[:, 0].tolist()
            mixed = x[i].repeat(4, 1)
            mixed[:, members] = background[:, members]
            sums.append(sum(float(found.values[i, j]) for j in members))
            drops.append(float(model.predict(x[i : i + 1])[0, 0] - model.predict(mixed).mean()))
        if len(set(map(str, hidden[i].tolist()))) > 1:
            assert got[i].item() == pytest.approx(corrcoef(sums, drops)[0, 1], abs=1e-6)
        else:
            assert got[i].isnan().item()


def test_claims_that_are_all_the_same_say_nothing():
    a, b = torch.ones(1, 5), torch.arange(5.0)[None]
    assert pearson(a, b).item() == 0
    assert pearson(b, a).isnan().item()


def test_sets_are_of_their_size_and_all_features_take_part():
    sets = sets_of_size(4, 50, 7, 3, seeded())
    assert (sets.sum(2) == 3).all()
    assert (sets.double().mean((0, 1)) - 3 / 7).abs().max() < 0.12
    sizes = sets_of_any_size(10, 300, 5, seeded()).sum(2)
    assert [round((sizes == k).double().mean().item(), 1) for k in range(1, 6)] == [0.2] * 5
