from typing import Any

import pytest
import torch
from games import of_columns, splits_of
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.errors import NotMeasurable
from fivefold.core.task import Task
from fivefold.explanation import AttributionDrift, LeverageSHAP
from fivefold.explanation.rank import rank_correlation, top_overlap
from seeding import seeded


def measured(before, after, splits, seed=3) -> list[Any]:
    probe = AttributionDrift(explainer=LeverageSHAP(budget=256, draws=1), n_background=8)
    return probe(before, after, splits, rng=seeded(seed))


def line(n, seed):
    w = torch.randn(n, generator=seeded(seed)).double()
    return of_columns(n, lambda x: x @ w)


def test_a_model_agrees_perfectly_with_itself(trained, table, trained_images, images):
    for model, data in ((trained, table), (trained_images, images)):
        for found in measured(model, model, data.splits):
            assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)
            assert "0 of 40 rows differently" in str(found.note)


def test_unrelated_models_agree_as_much_as_chance_would():
    signs = torch.randn(
        100, 20, generator=seeded(1)
    ).sign()  # no value lies further out than others
    splits = splits_of(signs)
    found = [measured(line(20, 10 + i), line(20, 50 + i), splits, i) for i in range(4)]
    ranks, overlap = (sum(f[k].value for f in found) / 4 for k in (0, 1))
    floors = [sum(f[k].floor for f in found) / 4 for k in (0, 1)]
    assert abs(ranks - floors[0]) < 0.15
    assert abs(overlap - floors[1]) < 0.2
    assert abs(floors[0]) < 0.15
    assert abs(floors[1] - 5 / 20) < 0.1


def test_the_floor_is_higher_where_some_values_lie_far_out():
    """Any model is moved by a value that lies far out, so models with nothing in common name it, too."""
    x = torch.randn(100, 20, generator=seeded(1))
    far = torch.where(torch.rand(100, 20, generator=seeded(2)) < 0.2, 10 * x, x)
    found = [measured(line(20, 10 + i), line(20, 50 + i), splits_of(far), i)[1] for i in range(3)]
    overlap, floor = (sum(f) / 3 for f in zip(*((f.value, f.floor) for f in found), strict=True))
    assert floor > 5 / 20 + 0.15
    assert abs(overlap - floor) < 0.12


def test_an_explainer_of_trees_has_a_floor_too(table):
    from sklearn.ensemble import RandomForestClassifier

    from fivefold.explanation import TreeSHAP
    from fivefold.models import SklearnModel

    train = table.splits.seen.train
    forest = RandomForestClassifier(5, max_depth=3, random_state=0).fit(
        train.x.numpy(), train.y.numpy()
    )
    model = SklearnModel(estimator=forest, task=table.task, schema=table.schema)
    probe = AttributionDrift(explainer=TreeSHAP(), n_rows=10, n_background=5)
    findings: list[Any] = probe(model, model, table.splits, rng=seeded())
    for found in findings:
        assert found.value == 1.0
        assert found.floor < 0.9


def test_opposite_reasons_are_seen_where_answers_are_not():
    """Two features that are always equal: either may carry the answer, and the answers are the same."""
    x = torch.randn(100, 1, generator=seeded(1)).repeat(1, 2)
    noise = torch.randn(100, 6, generator=seeded(2))
    x = torch.cat([x, noise], 1)
    task = Task(classes=("no", "yes"))
    one = of_columns(8, lambda v: torch.stack([-v[:, 0], v[:, 0]], 1), task)
    other = of_columns(8, lambda v: torch.stack([-v[:, 1], v[:, 1]], 1), task)
    ranks, overlap = measured(one, other, splits_of(x))
    assert "0 of 40 rows differently" in str(ranks.note)
    assert ranks.high < 0.5
    assert overlap.high < 1


def test_models_of_different_questions_are_not_compared(trained, trained_numbers, table):
    with pytest.raises(NotMeasurable, match="same question"):
        measured(trained, trained_numbers, table.splits)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(n=st.integers(2, 9), seed=st.integers(0, 1000))
def test_rank_correlation_is_the_correlation_of_the_ranks(n, seed):
    import numpy as np
    from scipy.stats import rankdata

    a, b = (torch.randint(5, (3, n), generator=seeded(seed + i)).double() for i in (0, 1))
    for one, other, found in zip(a, b, rank_correlation(a, b).tolist(), strict=True):
        if len(one.unique()) > 1 and len(other.unique()) > 1:
            assert found == pytest.approx(np.corrcoef(rankdata(one), rankdata(other))[0, 1])


def test_rankings_without_order():
    flat, steep = torch.zeros(1, 4), torch.arange(4.0)[None]
    assert rank_correlation(flat, flat).item() == 1
    assert rank_correlation(flat, steep).item() == 0


@settings(max_examples=20, deadline=None, derandomize=True)
@given(k=st.integers(1, 4), seed=st.integers(0, 1000))
def test_overlap_agrees_with_sets(k, seed):
    a, b = (torch.randn(2, 6, generator=seeded(seed + i)) for i in (0, 1))
    for one, other, found in zip(a, b, top_overlap(a, b, k).tolist(), strict=True):
        first, second = (set(sorted(range(6), key=lambda i: -abs(v[i]))[:k]) for v in (one, other))
        assert found == len(first & second) / k
