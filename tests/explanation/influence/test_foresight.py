"""Influences against models that were trained anew."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from influencing import CLASSES, NUMBER, examples, network
from scipy.stats import rankdata

from fivefold.core.data import Seen, Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Evidence
from fivefold.core.lineage import Claim, Record
from fivefold.explanation import (
    DatamodelingScore,
    LastLayerInfluence,
    RandomInfluence,
    WrongLabels,
)
from fivefold.explanation.influence.datamodeling import datamodeling_score
from fivefold.explanation.influence.retraining import (
    Retraining,
    parts_of,
    schedule,
)
from fivefold.explanation.influence.roc_area import roc_area
from fivefold.models import MLP, TorchModel
from fivefold.training.optimizer import AdamW


def splits_of(task, n=60):
    return Splits(Seen(examples(task, n=n), examples(task, n=5, seed=8)), examples(task, n=12, seed=9))  # fmt: skip


def only(findings):
    (found,) = findings
    assert isinstance(found, Evidence)
    return found


def trained(task, splits):
    first = network(task)
    (model,) = Retraining(epochs=60, optimizer=AdamW(lr=0.05))(
        first, splits.seen.train, torch.ones(1, 60, dtype=torch.bool), torch.Generator()
    )
    return model


@pytest.mark.parametrize("task", [NUMBER, CLASSES])
def test_last_layer_influence_foretells_and_chance_does_not(task, rng):
    splits = splits_of(task)
    model = trained(task, splits)
    again = Retraining(epochs=60, optimizer=AdamW(lr=0.05))
    probe = DatamodelingScore(n_rows=10, n_models=40, retraining=again)
    ours = only(probe(model, splits, rng=rng))
    luck = only(replace(probe, influencer=RandomInfluence())(model, splits, rng=rng))
    assert ours.chart is not None
    assert ours.low > 0.1
    assert luck.low <= 0 <= luck.high
    assert ours.value > luck.high
    assert [row["method"] for row in ours.chart.rows][1:] == ["NearestExamples", "RandomInfluence"]
    assert f"{ours.chart.rows[1]['rank correlation']:.4g}" in str(ours.note)


def test_the_score_is_the_mean_rank_correlation(rng):
    values = torch.randn(4, 30, generator=rng).double()
    parts = parts_of(30, 9, 0.5, rng)
    seen = torch.randn(4, 9, generator=rng).double()
    found = datamodeling_score(values, parts, seen)
    told = values @ parts.T.double()
    wanted = [np.corrcoef(rankdata(told[i]), rankdata(seen[i]))[0, 1] for i in range(4)]
    assert found.value == pytest.approx(sum(wanted) / 4)
    assert found.low <= found.value <= found.high
    perfect = datamodeling_score(values, parts, told)
    assert perfect.value == pytest.approx(1)


def test_networks_differ_by_their_rows_alone(rng):
    """Even where a layer draws random numbers: each network draws the same ones."""

    class Dropping:
        def build(self, schema, task, rng):
            net = MLP(hidden=(16,)).build(schema, task, rng)
            return torch.nn.Sequential(torch.nn.Dropout(0.3), net).eval()

    made = network(CLASSES)
    model = TorchModel(
        Dropping().build(made.schema, made.task, rng), made.task, made.schema, Dropping()
    )
    train, part = examples(CLASSES, n=20), parts_of(20, 1, 0.5, rng)
    state = torch.random.get_rng_state()
    one, same, other = Retraining(epochs=3, size=4)(
        model, train, torch.cat([part, part, ~part]), rng
    )
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(one.predict(train.x), same.predict(train.x))
    assert not torch.allclose(one.predict(train.x), other.predict(train.x))


def test_every_part_learns_each_of_its_rows_once_an_epoch(rng):
    parts = parts_of(11, 4, 0.5, rng)
    rows = schedule(parts, 3, 2, rng)
    for i, part in enumerate(parts):
        own = set(part.nonzero()[:, 0].tolist())
        for epoch in rows[:, i].flatten().view(2, -1):
            assert set(epoch.tolist()) == own


def test_wrong_labels_are_found(rng):
    splits = splits_of(CLASSES, n=200)
    probe = WrongLabels(retraining=Retraining(epochs=40, optimizer=AdamW(lr=0.05)))
    found = only(probe(network(CLASSES), splits, rng=rng))
    assert found.low > 0.5
    assert "20 of 200" in found.setting


def test_area_under_the_curve_counts_pairs(rng):
    values = torch.randint(0, 6, (40,), generator=rng).double()
    is_hit = torch.rand(40, generator=rng) < 0.3
    pairs = [(a > b) + (a == b) / 2 for a in values[is_hit].tolist() for b in values[~is_hit].tolist()]  # fmt: skip
    value, low, high = roc_area(values, is_hit)
    assert value == pytest.approx(sum(pairs) / len(pairs))
    assert low < value < high


def test_an_order_without_a_mistake_is_not_certain():
    is_hit = torch.arange(30) < 5
    value, low, high = roc_area(is_hit.double(), is_hit)
    assert (value, high) == (1, 1)
    assert low < 0.5  # five of five tell little


def test_the_interval_knows_that_rows_share_the_models(rng):
    """Rows that all say the same are one row: the interval must not shrink with their number."""
    widths = []
    for n_rows in (5, 200):
        parts = parts_of(40, 20, 0.5, rng)
        values = torch.randn(1, 40, generator=rng).double().expand(n_rows, -1)
        seen = torch.randn(1, 20, generator=rng).double().expand(n_rows, -1)
        found = datamodeling_score(values, parts, seen)
        widths.append(found.high - found.low)
    assert min(widths) > 0.6


def test_what_cannot_be_measured_says_so(rng):
    with pytest.raises(ValueError, match="at least 3 models"):
        DatamodelingScore(n_models=2)
    splits = splits_of(NUMBER)
    with pytest.raises(NotMeasurable, match="classifier"):
        WrongLabels()(network(NUMBER), splits, rng=rng)
    private = network(CLASSES).with_lineage(
        (Record("a", {}, "d", Claim(privacy={"epsilon": 1.0})),)
    )
    with pytest.raises(NotMeasurable, match="privacy guarantee"):
        DatamodelingScore(influencer=LastLayerInfluence())(private, splits_of(CLASSES), rng=rng)
    few = Splits(Seen(examples(CLASSES, n=6), examples(CLASSES, n=5)), examples(CLASSES, n=5))
    with pytest.raises(NotMeasurable, match="too few"):
        WrongLabels()(network(CLASSES), few, rng=rng)
