"""Robustness of models that only answer."""

from typing import Any

import pytest
import torch

from fivefold.core.data import Batch, Seen, Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Evidence
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.generalization import QueryRobustness, RobustAccuracy
from fivefold.models import CallableModel
from seeding import seeded


def threshold(width: float) -> tuple[CallableModel, Splits]:
    """Return a model that says yes above 0, and rows that are `width` or 3 away from 0."""
    x = torch.cat([torch.full((30, 1), width), torch.full((20, 1), 3.0)])
    x = torch.cat([x, -x])
    data = Batch(x, (x[:, 0] > 0).long())
    schema = Schema(columns=(Column(name="a", low=-5.0, high=5.0),), shape=(1,))
    model = CallableModel(
        function=lambda rows: torch.tensor(rows) @ torch.tensor([[-4.0, 4.0]]),
        task=Task(classes=("no", "yes")),
        schema=schema,
        answers="logits",
    )
    return model, Splits(Seen(data, data), data)


@pytest.mark.parametrize(("width", "stands"), [(0.05, 0.4), (0.5, 1.0)])
def test_what_is_nearer_to_the_boundary_than_eps_falls_and_nothing_else(width, stands):
    model, splits = threshold(width)
    (found,) = QueryRobustness(eps=0.1, queries=16)(model, splits, rng=seeded())
    assert isinstance(found, Evidence)
    assert found.value == pytest.approx(stands)
    assert found.low < found.value <= found.high


def test_more_queries_never_leave_more_standing(table, trained):
    findings: list[Any] = QueryRobustness(eps=0.5, queries=40)(trained, table.splits, rng=seeded())
    (found,) = findings
    left = [row["accuracy"] for row in found.chart.rows]
    assert left == sorted(left, reverse=True)
    assert left[-1] < left[0]


def test_who_sees_the_network_breaks_at_least_as_much(table, trained):
    findings: list[Any] = QueryRobustness(eps=0.3, queries=50)(trained, table.splits, rng=seeded())
    findings += RobustAccuracy(eps=0.3)(trained, table.splits, rng=seeded())
    asked, seen, *_ = findings
    assert seen.value <= asked.value


def test_numbers_are_refused(numbers, trained_numbers):
    with pytest.raises(NotMeasurable, match="needs classes"):
        QueryRobustness()(trained_numbers, numbers.splits, rng=seeded())
