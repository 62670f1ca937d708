from typing import Any

import pytest
import torch
from games import Function, of_columns, splits_of

from fivefold.core.data import as_tensor
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Evidence, Missing
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.explanation import Recourse
from seeding import seeded

YES_NO = Task(classes=("no", "yes"))


def measured(model, x, **settings) -> dict[str, Any]:
    probe = Recourse(n_rows=20, budget=800, **settings)
    return {f.name: f for f in probe(model, splits_of(x), rng=seeded())}


def sign_of_the_sum(x):
    return torch.stack([-x.sum(1), x.sum(1)], 1)


def test_a_model_that_one_column_turns_is_turned_by_one_column():
    x = torch.randn(200, 4, generator=seeded())
    model = of_columns(4, lambda v: torch.stack([-v[:, 2], v[:, 2]], 1), YES_NO)
    found = measured(model, x, plausibility=0)
    assert found["recourse"].value == 1
    assert found["changed_columns"].value == 1
    assert [r["column"] for r in found["recourse"].chart.rows] == ["c2"]
    rows = as_tensor(splits_of(x).test.x)
    assert found["change_length"].value == pytest.approx(float(rows[:, 2].abs().median()), abs=0.3)


def test_frozen_columns_leave_no_way_out_and_no_size():
    columns = tuple(Column(name=f"c{i}", is_immutable=True) for i in range(3))
    model = Function(sign_of_the_sum, Schema(columns=columns, shape=(3,)), YES_NO)
    found = measured(model, torch.randn(100, 3, generator=seeded()))
    assert found["recourse"].value == 0
    assert found["recourse"].high < 0.2
    assert isinstance(found["changed_columns"], Missing)
    assert isinstance(found["change_length"], Missing)


def test_a_number_has_to_cross_the_middle(trained_numbers, numbers):
    found: dict[str, Any] = {
        f.name: f
        for f in Recourse(n_rows=15, budget=800)(trained_numbers, numbers.splits, rng=seeded())
    }
    assert found["recourse"].value > 0.9
    assert isinstance(found["change_length"], Evidence)
    assert found["change_length"].value > 0


def test_images_have_no_columns(trained_images, images):
    with pytest.raises(NotMeasurable, match="columns"):
        Recourse()(trained_images, images.splits, rng=seeded())


def test_answers_that_are_the_middle_have_to_move_too():
    """Half of the answers are the median itself, as those of a tree may be."""
    x = torch.randn(200, 2, generator=seeded())
    model = of_columns(2, lambda v: v[:, 0].clamp(min=0))
    assert measured(model, x, plausibility=0)["recourse"].value == 1
