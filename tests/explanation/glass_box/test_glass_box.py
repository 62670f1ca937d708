"""How well a glass box stands for a model, and what has none."""

import pytest
import torch
from games import of_columns, splits_of
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.explanation.glass_box import GlassBox, SurrogateGAM, surrogate
from fivefold.explanation.glass_box.fidelity import agreement, fidelity, r2
from seeding import seeded


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(3, 30), seed=st.integers(0, 1000))
def test_fidelity_is_the_variance_that_is_told(n, seed):
    rng = seeded(seed)
    scores = torch.randn(n, 2, generator=rng).double()
    told = scores + 0.3 * torch.randn(n, 2, generator=rng).double()
    mean = [sum(c) / n for c in scores.T.tolist()]
    left = sum(
        (a - b) ** 2 for s, t in zip(scores, told, strict=True) for a, b in zip(s, t, strict=True)
    )
    total = sum((float(s[i]) - mean[i]) ** 2 for s in scores for i in range(2))
    found = fidelity(scores, told, scores.mean(0), seeded())
    assert found.value == pytest.approx(float(1 - left / total))
    assert found.floor == pytest.approx(0.0, abs=1e-12)
    assert found.low <= found.value <= found.high <= 1
    hits = sum(int(s.argmax() == t.argmax()) for s, t in zip(scores, told, strict=True))
    assert agreement(scores, told, scores).value == pytest.approx(hits / n)


def test_intervals_of_fidelity_cover_that_of_endless_rows():
    hits = 0
    for seed in range(40):
        rng = seeded(seed)
        s = torch.randn(120, 1, generator=rng).double()
        told = s + torch.randn(120, 1, generator=rng).double() * 0.5
        found = fidelity(s, told, s.mean(0), rng)
        hits += found.low <= 0.75 <= found.high
    assert 0.85 <= hits / 40 <= 1


def test_a_constant_is_told_nothing():
    scores = torch.randn(50, 1, generator=seeded()).double()
    assert r2(scores, scores.mean(0).expand_as(scores)) == pytest.approx(0)


def test_tells_a_sum_from_what_columns_do_together():
    def fidelities(function):
        x = torch.randn(900, 3, generator=seeded())
        found = GlassBox()(of_columns(3, function), splits_of(x, 300), rng=seeded())
        return {f.setting: f.value for f in found}  # pyright: ignore[reportAttributeAccessIssue]

    added = fidelities(lambda x: x[:, 0] + x[:, 1] ** 2)
    together = fidelities(lambda x: torch.sign(x[:, 0]) * (1 + (x[:, 1] > 0)))
    assert added["additive, 16 knots"] > 0.97
    assert added["additive, 16 knots"] > added["tree of depth 4"]
    assert together["tree of depth 4"] > 0.9 > together["additive, 16 knots"] + 0.05


def test_classes_have_both_numbers_beside_a_constant(table, trained):
    found = GlassBox()(trained, table.splits, rng=seeded())
    assert [f.name for f in found] == ["surrogate_fidelity", "surrogate_agreement"] * 2
    assert all(f.floor is not None and f.value > f.floor for f in found)  # pyright: ignore[reportAttributeAccessIssue]


def test_what_has_no_columns_or_never_changes_is_refused(images, trained_images):
    with pytest.raises(NotMeasurable):
        GlassBox()(trained_images, images.splits, rng=seeded())
    same = of_columns(2, lambda x: x[:, 0] * 0 + 1)
    x = torch.randn(60, 2, generator=seeded())
    with pytest.raises(NotMeasurable, match="same"):
        surrogate(same, x, x, rng=seeded())
    with pytest.raises(NotMeasurable, match="finite"):
        surrogate(of_columns(2, lambda x: x[:, 0] / 0), x, x, rng=seeded())
    with pytest.raises(BadInput):
        surrogate(same, x[:, :1], x, rng=seeded())


def test_pictures_of_nothing_are_refused():
    model = of_columns(2, lambda x: x[:, 0])
    x = torch.randn(60, 2, generator=seeded())
    found = surrogate(model, x, x, SurrogateGAM(), rng=seeded())
    with pytest.raises(BadInput, match="c7"):
        found.plot("c7")
    with pytest.raises(BadInput, match="nobody"):
        found.plot(output="nobody")


def test_one_row_of_each_is_no_reason_to_fail_silently():
    model = of_columns(2, lambda x: x[:, 0])
    with pytest.raises(NotMeasurable):
        surrogate(model, torch.ones(1, 2), torch.ones(1, 2), rng=seeded())
