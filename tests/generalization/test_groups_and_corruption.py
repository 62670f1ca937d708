"""The worst group and performance under accidents, against loops."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from fivefold.core.data import Batch, Seen, Splits, as_tensor
from fivefold.core.errors import NotMeasurable
from fivefold.core.interval import wilson
from fivefold.core.probe import Probe
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.generalization import CorruptionAccuracy, WorstGroup
from fivefold.perturb import SEVERITIES, corruptions
from seeding import seeded


def run(probe: Probe, model: Any, splits: Splits, seed: int = 0) -> Any:
    return probe(model, splits, rng=seeded(seed))


class Echo:
    """Answers what the first column says; protected: the second column, and a third."""

    task = Task(classes=("a", "b"))
    schema = Schema(
        columns=(
            Column(name="says"),
            Column(name="sex", kind="category", categories=("f", "m"), is_protected=True),
            Column(name="age", low=0.0, high=99.0, is_protected=True, cuts=(30.0, 60.0)),
        ),
        shape=(3,),
    )
    lineage = ()

    def predict(self, x):
        return torch.stack([1 - x[:, 0], x[:, 0]], 1)

    def with_lineage(self, lineage):
        return self


def people(seed, n=120):
    rng = seeded(seed)
    says = torch.randint(0, 2, (n,), generator=rng).float()
    sex = torch.randint(0, 2, (n,), generator=rng).float()
    sex[torch.rand(n, generator=rng) < 0.05] = torch.nan
    age = 99 * torch.rand(n, generator=rng)
    return Batch(torch.stack([says, sex, age], 1), torch.randint(0, 2, (n,), generator=rng))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(0, 10_000))
def test_the_worst_group_is_the_one_a_loop_finds(seed):
    test = people(seed)
    groups: dict[str, list[bool]] = {}
    for (says, sex, age), y in zip(as_tensor(test.x).tolist(), test.y.tolist(), strict=True):
        name = "sex: ?" if sex != sex else f"sex: {'fm'[int(sex)]}"
        span = "-inf to 30" if age < 30 else "30 to 60" if age < 60 else "60 to inf"
        for group in (name, f"age: {span}"):
            groups.setdefault(group, []).append(says == y)
    large = {k: v for k, v in groups.items() if len(v) >= 10}
    z = float(norm.ppf(1 - 0.05 / len(large) / 2))
    bounds = [wilson(sum(v), len(v), z) for v in large.values()]
    (found,) = run(WorstGroup(), Echo(), Splits(Seen(test, test), test))
    assert found.value == min(sum(v) / len(v) for v in large.values())
    assert found.low == pytest.approx(min(low for low, _ in bounds))
    assert found.high == pytest.approx(min(high for _, high in bounds))
    assert {row["group"] for row in found.chart.rows} == set(large)
    for small in groups.keys() - large.keys():
        assert small in found.note.words()


def test_more_groups_mean_wider_bounds(trained_images, images):
    (found,) = run(WorstGroup(), trained_images, images.splits)
    assert found.setting == "classes"
    worst = min(found.chart.rows, key=lambda row: row["accuracy"])
    narrow = wilson(round(worst["accuracy"] * worst["examples"]), worst["examples"])
    assert worst["low"] < narrow[0] or narrow[0] == 0
    assert worst["high"] > narrow[1] or narrow[1] == 1


def test_numbers_by_group_or_not_at_all(trained_numbers, numbers):
    with pytest.raises(NotMeasurable, match="protected"):
        run(WorstGroup(), trained_numbers, numbers.splits)
    columns = list(numbers.schema.columns)
    columns[0] = replace(columns[0], is_protected=True, cuts=(0.0,))
    model = replace(trained_numbers, schema=replace(numbers.schema, columns=tuple(columns)))
    (found,) = run(WorstGroup(), model, numbers.splits)
    test = numbers.splits.test
    error = (model.predict(test.x)[:, 0] - test.y) ** 2
    worst = max(float(error[rows].mean().sqrt()) for rows in (test.x[:, 0] < 0, test.x[:, 0] >= 0))
    assert found.value == pytest.approx(worst, rel=1e-5)
    assert found.better == "lower"


def test_only_small_groups_are_not_judged(trained, table):
    with pytest.raises(NotMeasurable, match="No group"):
        run(WorstGroup(least=1000), trained, table.splits)


@pytest.mark.parametrize("which", ["table", "images", "numbers"])
def test_corruption_is_the_mean_over_all_cells(which, request):
    data = request.getfixturevalue(which)
    names = {"table": "trained", "images": "trained_images", "numbers": "trained_numbers"}
    model = request.getfixturevalue(names[which])
    (found,) = run(CorruptionAccuracy(), model, data.splits, 4)
    rng, test, cells = seeded(4), data.splits.test, []
    for kind in corruptions(data.schema):
        for severity in SEVERITIES:
            answer = model.predict(kind.at(severity, test.x, data.schema, rng))
            if data.task.is_classification:
                cells.append(float((answer.argmax(1) == test.y).double().mean()))
            else:
                cells.append(float(((answer[:, 0].double() - test.y) ** 2).mean()))
    mean = sum(cells) / len(cells)
    assert found.value == pytest.approx(mean if data.task.is_classification else mean**0.5)
    assert found.n == test.size
    shown = [row for row in found.chart.rows if row["severity"] > 0]
    assert len(shown) == len(cells)


def test_corruption_hurts(trained, table):
    (found,) = run(CorruptionAccuracy(), trained, table.splits)
    clean = float(
        (trained.predict(table.splits.test.x).argmax(1) == table.splits.test.y).double().mean()
    )
    assert found.value < clean
    assert f"{clean:.4g}" in found.note.words()


def test_words_cannot_be_corrupted_like_columns(trained, table):
    test = Batch({"ids": table.splits.test.x}, table.splits.test.y)
    with pytest.raises(NotMeasurable, match="pixels"):
        run(CorruptionAccuracy(), trained, table.splits._replace(test=test))
