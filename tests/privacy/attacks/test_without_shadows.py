"""Attacks that need no shadow models: what they look at, and what they cannot attack."""

from dataclasses import replace

import pytest
import torch

from fivefold.core.data import Batch
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Evidence, Missing
from fivefold.core.schema import Schema
from fivefold.privacy import LabelOnly, LossThreshold, MembershipInference, QuantileRegression
from fivefold.privacy.attacks import View
from seeding import seeded


class Box:
    """Answers with labels alone: 1 and 0."""

    def __init__(self, schema, task):
        self.schema, self.task = schema, task

    def predict(self, x):
        return torch.nn.functional.one_hot((x[:, 0] > 0).long(), 2).float()


def test_label_only_ranks_rows_by_their_distance_from_the_boundary(table):
    x = torch.zeros(6, 6)
    x[:, 0] = torch.tensor([3.0, 1.0, 0.3, 0.05, -0.1, -2.0])  # the last two are named wrongly
    pool = Batch(x, torch.ones(6).long())
    view = View(Box(table.schema, table.task), pool, 3, torch.zeros(6))  # type: ignore[arg-type]
    score = torch.cat(LabelOnly(n_copies=200).scores(view, seeded()))
    assert score.argsort(descending=True).tolist() == [0, 1, 2, 3, 4, 5]
    assert score[3] > 1 > score[4]


def test_label_only_leaves_what_must_not_move(table):
    columns = tuple(replace(c, is_immutable=True) for c in table.schema.columns)
    box = Box(Schema(columns=columns, shape=(6,)), table.task)
    view = View(box, table.splits.test, 50, torch.zeros(100))  # type: ignore[arg-type]
    with pytest.raises(NotMeasurable, match="No value"):
        LabelOnly().scores(view, seeded())


def test_label_only_of_a_number_is_missing_and_the_rest_is_there(trained_numbers, numbers):
    probe = MembershipInference(attacks=(LossThreshold(), LabelOnly()))
    found = {f.key: f for f in probe(trained_numbers, numbers.splits, rng=seeded())}
    assert isinstance(found["privacy.attack_auc[label only]"], Missing)
    assert isinstance(found["privacy.attack_auc[loss threshold]"], Evidence)


def test_no_levels_of_noise_are_refused():
    with pytest.raises(ValueError, match="level"):
        LabelOnly(levels=())


def test_quantile_regression_judges_rows_among_their_like(table):
    """Confidence hangs on the first column alone; only what exceeds it tells members."""
    own = seeded(1)
    x = torch.randn(1200, 6, generator=own)
    sure = 5 * x[:, 0].double() + 0.1 * torch.randn(1200, generator=own)
    sure[:400] += 1.0
    pool = Batch(x, torch.zeros(1200).long())
    view = View(Box(table.schema, table.task), pool, 400, sure)  # type: ignore[arg-type]
    found = QuantileRegression().scores(view, own)
    assert (len(found.members), len(found.others)) == (400, 400)
    assert float((found.members[:, None] > found.others).double().mean()) > 0.8
    assert float((sure[:400, None] > sure[400:]).double().mean()) < 0.65


def test_quantile_regression_reads_rows_of_numbers(table):
    pool = Batch({"words": torch.zeros(30, 4)}, torch.zeros(30).long())
    view = View(Box(table.schema, table.task), pool, 10, torch.zeros(30))  # type: ignore[arg-type]
    with pytest.raises(NotMeasurable, match="rows of numbers"):
        QuantileRegression().scores(view, seeded())
