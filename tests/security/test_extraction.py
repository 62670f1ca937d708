"""A thief copies better the more he asks, and what he reports is what can be counted."""

from dataclasses import replace

import pytest
import torch

from fivefold.core.data import Seen, Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Evidence
from fivefold.core.schema import Column, Schema
from fivefold.models import MLP
from fivefold.security.extraction import Extraction, same, trivial
from fivefold.security.queries import near, uniform
from seeding import seeded

QUICK = Extraction(n_queries=300, student=MLP(hidden=(16,)), epochs=15)
MIXED = Schema(
    columns=(
        Column(name="age", kind="integer", low=0.0, high=90.0, scale=20.0),
        Column(name="kind", kind="category", categories=("a", "b", "c")),
        Column(name="dose", low=0.0, high=1.0, is_optional=True),
    ),
    shape=(3,),
)


def measured(probe: Extraction, model, splits: Splits, seed: int = 0) -> Evidence:
    (found,) = probe(model, splits, rng=seeded(seed))
    assert isinstance(found, Evidence)
    return found


@pytest.mark.parametrize("queries", ["near", "uniform"])
@pytest.mark.parametrize("answers", ["logits", "labels"])
def test_more_queries_copy_better(queries, answers, trained, table):
    probe = replace(QUICK, queries=queries, answers=answers, n_queries=800, epochs=30)
    found = measured(probe, trained, table.splits)
    assert found.chart is not None
    by = {row["queries"]: float(row["fidelity"]) for row in found.chart.rows}
    few = measured(replace(probe, n_queries=4), trained, table.splits).value
    assert list(by) == [50, 200, 800]
    assert few < by[800] - 0.1
    assert by[800] >= 0.85
    assert by[800] == found.value


def test_the_copy_knows_nothing_of_the_weights(trained, untrained, table):
    """The same queries with another model's answers make a copy of that other model."""
    asked = near(table.splits.seen.valid.x, table.schema, 300, seeded())
    test = table.splits.test.x
    for victim, other in ((trained, untrained), (untrained, trained)):
        copy = QUICK.steal(trained, asked, victim.predict(asked), seeded())
        agrees = same(copy(test), victim.predict(test)).float().mean()
        assert agrees > same(copy(test), other.predict(test)).float().mean()


def test_counts_agreement_with_the_model_not_with_the_truth(trained, table):
    found = measured(QUICK, trained, table.splits)
    wrong = table.splits.test._replace(y=1 - table.splits.test.y)
    assert found == measured(QUICK, trained, table.splits._replace(test=wrong))
    votes = trained.predict(table.splits.test.x).argmax(1)
    assert found.floor == max(votes.float().mean(), 1 - votes.float().mean())


def test_agreement_of_numbers():
    truth = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    apart = truth.std(correction=0)
    assert same(truth + 0.09 * apart, truth).all()
    assert not same(truth + 0.11 * apart, truth).any()
    assert trivial(truth) == 0.25
    assert trivial(torch.eye(3)[torch.tensor([0, 1, 1, 1])]) == 0.75


def test_numbers_can_be_stolen(trained_numbers, numbers):
    found = measured(replace(QUICK, n_queries=400, epochs=30), trained_numbers, numbers.splits)
    assert found.floor is not None
    assert found.value > found.floor + 0.1


def test_labels_alone_do_not_leak_logits(trained, table):
    """Logits three times as large change nothing for a thief who sees labels, and much for the other."""
    asked = near(table.splits.seen.valid.x, table.schema, 100, seeded())
    answers = trained.predict(asked)
    for told, is_equal in (("labels", True), ("logits", False)):
        probe = replace(QUICK, answers=told)
        a, b = (probe.steal(trained, asked, k * answers, seeded())(asked) for k in (1, 3))
        assert torch.equal(a, b) == is_equal


def test_queries_make_sense():
    real = torch.tensor([[30.0, 0.0, 0.5], [60.0, 2.0, torch.nan], [90.0, 1.0, 1.0]])
    for x in (near(real, MIXED, 500, seeded()), uniform(MIXED, 500, seeded())):
        assert x.shape == (500, 3)
        assert torch.equal(x[:, 0], x[:, 0].round())
        assert set(x[:, 1].tolist()) == {0.0, 1.0, 2.0}
        known = x[~x.isnan()]
        assert known.min() >= 0
        assert x[:, 0].max() <= 90
        assert x[:, 2].nan_to_num(0).max() <= 1
    assert near(real, MIXED, 2, seeded()).shape == (2, 3)
    first = near(real, MIXED, 3, seeded()).nan_to_num(-1)
    assert {tuple(r) for r in first.tolist()} == {tuple(r) for r in real.nan_to_num(-1).tolist()}


def test_uniform_queries_cover_the_range():
    x = uniform(MIXED, 4000, seeded())
    assert x[:, 1].long().bincount().min() > 1200
    assert abs(float(x[:, 2].mean()) - 0.5) < 0.03


def test_images_stay_pixels(images):
    for x in (
        near(images.splits.seen.valid.x, images.schema, 100, seeded()),
        uniform(images.schema, 100, seeded()),
    ):
        assert x.shape == (100, 1, 8, 8)
        assert 0 <= float(x.min()) <= float(x.max()) <= 1


def test_what_cannot_be_asked_is_said(trained, table):
    endless = Schema(columns=(Column(name="a"),), shape=(1,))
    with pytest.raises(NotMeasurable, match="no range"):
        uniform(endless, 5, seeded())
    none = table.splits.seen.valid.take(slice(0, 0))
    bare = Splits(Seen(table.splits.seen.train, none), table.splits.test)
    with pytest.raises(NotMeasurable, match="validation rows"):
        QUICK(trained, bare, rng=seeded())
    assert measured(replace(QUICK, queries="uniform"), trained, bare)
