"""A model that learned its rows by heart gives them away; one that never saw them does not."""

from dataclasses import replace

import pytest
import torch

from fivefold.core.data import Batch, Dataset, Seen, Splits
from fivefold.core.errors import NotMeasurable
from fivefold.core.evidence import Evidence, Missing
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.learning import Finetune
from fivefold.models import MLP, fresh
from fivefold.privacy import (
    DPSGD,
    LabelOnly,
    LiRA,
    LossThreshold,
    MembershipInference,
    QuantileRegression,
)
from fivefold.training.optimizer import AdamW
from seeding import seeded

LOSS, LIRA, RMIA_ = "loss threshold", "LiRA, 8 shadows", "RMIA, 8 shadows"
BAVARIA = "BaVarIA, 8 shadows"
ALL = (LOSS, LIRA, RMIA_, BAVARIA)
BY_HEART = Finetune(epochs=60, optimizer=AdamW(lr=1e-2))
ATTACK = MembershipInference(shadow_epochs=60, shadow_optimizer=AdamW(lr=1e-2))


@pytest.fixture(scope="module")
def hard():
    """Rows whose class can hardly be told, so that a large network learns them by heart."""
    own = seeded(9)
    x = torch.randn(400, 10, generator=own)
    y = (x[:, 0] + 2 * torch.randn(400, generator=own) > 0).long()
    part = [Batch(x[i : i + 120], y[i : i + 120]) for i in (0, 120, 240)]
    schema = Schema(columns=tuple(Column(name=f"c{i}") for i in range(10)), shape=(10,))
    splits = Splits(Seen(part[0], part[2]), part[1])
    return Dataset("hard", splits, schema, Task(classes=("no", "yes")), "hard")


@pytest.fixture(scope="module")
def start(hard):
    return fresh(MLP(hidden=(32,)), hard, seeded())


def auc_of(found, setting):
    one = found[f"attack_auc[{setting}]"]
    assert isinstance(one, Evidence)
    return one


def attacked(model, hard, attack=ATTACK):
    return {f.key.removeprefix("privacy."): f for f in attack(model, hard.splits, rng=seeded(2))}


@pytest.fixture(scope="module")
def leaky(hard, start):
    return attacked(BY_HEART(start, hard.splits.seen, rng=seeded()), hard)


def test_learning_by_heart_leaks(leaky):
    assert auc_of(leaky, LOSS).low > 0.6
    assert auc_of(leaky, LIRA).low > 0.6
    assert auc_of(leaky, RMIA_).low > 0.6
    assert auc_of(leaky, BAVARIA).low > 0.6


def test_a_model_of_other_people_does_not(hard, start):
    elsewhere = Seen(hard.splits.seen.valid, hard.splits.seen.valid)
    found = attacked(BY_HEART(start, elsewhere, rng=seeded()), hard)
    for setting in ALL:
        one = auc_of(found, setting)
        assert one.low <= 0.5 <= one.high


def test_a_private_model_leaks_less(hard, start, leaky):
    found = attacked(
        DPSGD(noise_multiplier=2.0, insecure_seed=0)(start, hard.splits.seen, rng=seeded()), hard
    )
    for setting in (LOSS, LIRA):
        assert auc_of(found, setting).high < auc_of(leaky, setting).value


def test_evidence_says_what_it_stands_on(leaky):
    for setting in ALL:
        one = auc_of(leaky, setting)
        assert one.better == "lower"
        assert one.n == 240
        assert str(one.note)
    assert auc_of(leaky, LOSS).floor == 0.5
    assert "0.08333" in str(auc_of(leaky, LOSS).note)


def test_the_chart_holds_both_curves(leaky):
    chart = auc_of(leaky, LOSS).chart
    assert chart is not None
    assert {row["attack"] for row in chart.rows} == set(ALL)
    assert all(float(row[chart.x]) <= 0 and float(row[chart.y]) <= 0 for row in chart.rows)


@pytest.mark.parametrize(
    ("name", "needed"), [("tpr_at_1_percent_fpr", "1000"), ("tpr_at_0_1_percent_fpr", "10000")]
)
def test_too_few_test_rows_for_a_rate(name, needed, leaky):
    missing = leaky[name]
    assert isinstance(missing, Missing)
    assert needed in str(missing.reason)
    assert "120" in str(missing.reason)


def test_rates_are_told_with_enough_rows():
    """Labels are noise, so that every row is known by heart or not at all."""
    own = seeded(3)
    x, y = torch.randn(2000, 20, generator=own), torch.randint(10, (2000,), generator=own)
    part = [Batch(x[:1000], y[:1000]), Batch(x[1000:], y[1000:])]
    schema = Schema(columns=tuple(Column(name=f"c{i}") for i in range(20)), shape=(20,))
    task = Task(classes=tuple("abcdefghij"))
    data = Dataset("noise", Splits(Seen(part[0], part[0]), part[1]), schema, task, "noise")
    step = Finetune(epochs=40, optimizer=AdamW(lr=1e-2))
    model = step(fresh(MLP(hidden=(128,)), data, seeded()), data.splits.seen, rng=seeded())
    attack = MembershipInference(attacks=(LossThreshold(), QuantileRegression(), LabelOnly()))
    found = attacked(model, data, attack)
    assert auc_of(found, LOSS).low > 0.8
    assert found[f"tpr_at_1_percent_fpr[{LOSS}]"].value > 0.1  # pyright: ignore[reportAttributeAccessIssue]
    assert auc_of(found, "quantile regression").low > 0.8
    assert auc_of(found, "label only").low > 0.8
    assert isinstance(found["tpr_at_0_1_percent_fpr"], Missing)


@pytest.mark.parametrize("n", [0, 9])
def test_almost_no_rows(n, hard, start):
    few = hard.splits._replace(test=hard.splits.test.take(slice(0, n)))
    with pytest.raises(NotMeasurable, match="10"):
        ATTACK(start, few, rng=seeded())


def test_a_black_box_shows_the_loss_attack_alone(hard, start):
    class Box:
        task, schema, lineage = start.task, start.schema, ()

        def predict(self, x):
            return start.predict(x)

        def with_lineage(self, lineage):
            return self

    found = attacked(Box(), hard)
    assert isinstance(auc_of(found, LOSS), Evidence)
    for setting in ALL[1:]:
        one = found[f"attack_auc[{setting}]"]
        assert isinstance(one, Missing)
        assert "does not say how it is built" in str(one.reason)


def test_a_model_that_has_blown_up(hard, start):
    class Broken:
        task, schema, lineage = start.task, start.schema, ()

        def predict(self, x):
            return start.predict(x) * torch.nan

        def with_lineage(self, lineage):
            return self

    with pytest.raises(NotMeasurable, match="finite"):
        ATTACK(Broken(), hard.splits, rng=seeded())


def test_no_more_rows_than_asked_for(hard, start):
    found = attacked(start, hard, replace(ATTACK, n_examples=30, shadow_epochs=1))
    assert auc_of(found, LOSS).n == 60


def test_shadows_may_be_trained_by_the_step_under_attack(hard, start):
    attack = MembershipInference(n_shadow=4, shadow=replace(BY_HEART, epochs=30))
    found = attacked(BY_HEART(start, hard.splits.seen, rng=seeded()), hard, attack)
    assert auc_of(found, "LiRA, 4 shadows").low > 0.55


def test_an_odd_number_of_shadows_is_refused():
    with pytest.raises(ValueError, match="even"):
        MembershipInference(n_shadow=5)


@pytest.mark.parametrize(
    "changed", [{"attacks": ()}, {"attacks": (LiRA(), LiRA(own_variance_from=8))}]
)
def test_attacks_that_cannot_be_told_apart_are_refused(changed):
    with pytest.raises(ValueError, match="name"):
        MembershipInference(**changed)


def test_a_step_cannot_train_heads_alone():
    with pytest.raises(ValueError, match="keeps_trunk"):
        MembershipInference(shadow=BY_HEART, keeps_trunk=True)


def test_heads_alone_say_that_they_are_weaker(hard, start):
    model = BY_HEART(start, hard.splits.seen, rng=seeded())
    found = attacked(model, hard, replace(ATTACK, keeps_trunk=True, n_shadow=4, shadow_epochs=5))
    one = auc_of(found, "LiRA, 4 shadows, heads alone")
    assert "weaker" in str(one.note)


def test_groups_that_differ_anyway_are_refused(hard, start):
    x = hard.splits.test.x.clone()
    x[:, 3] += 2.0
    moved = hard.splits._replace(test=Batch(x, hard.splits.test.y))
    with pytest.raises(NotMeasurable, match="c3"):
        ATTACK(start, moved, rng=seeded())


def test_classes_that_differ_are_refused(hard, start):
    wrong = hard.splits._replace(test=Batch(hard.splits.test.x, torch.zeros(120).long()))
    with pytest.raises(NotMeasurable, match=r"\b(no|yes)\b"):
        ATTACK(start, wrong, rng=seeded())
