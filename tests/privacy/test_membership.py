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
from fivefold.privacy import DPSGD, MembershipInference
from fivefold.training.optimizer import AdamW
from seeding import seeded

LOSS, LIRA = "loss threshold", "LiRA, 8 shadows"
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
    assert leaky[f"tpr_at_1_percent_fpr[{LIRA}]"].value > 0.02


def test_a_model_of_other_people_does_not(hard, start):
    elsewhere = Seen(hard.splits.seen.valid, hard.splits.seen.valid)
    found = attacked(BY_HEART(start, elsewhere, rng=seeded()), hard)
    for setting in (LOSS, LIRA):
        one = auc_of(found, setting)
        assert one.low <= 0.5 <= one.high


def test_a_private_model_leaks_less(hard, start, leaky):
    found = attacked(
        DPSGD(noise_multiplier=2.0, insecure_seed=0)(start, hard.splits.seen, rng=seeded()), hard
    )
    for setting in (LOSS, LIRA):
        assert auc_of(found, setting).high < auc_of(leaky, setting).value


def test_evidence_says_what_it_stands_on(leaky):
    for one in leaky.values():
        assert isinstance(one, Evidence)
        assert one.better == "lower"
        assert one.n == 240
        assert str(one.note)
    assert auc_of(leaky, LOSS).floor == 0.5
    assert "0.008333" in str(leaky[f"tpr_at_1_percent_fpr[{LOSS}]"].note)


def test_the_chart_holds_both_curves(leaky):
    chart = auc_of(leaky, LOSS).chart
    assert chart is not None
    assert {row["attack"] for row in chart.rows} == {LOSS, LIRA}
    assert all(float(row[chart.x]) <= 0 and float(row[chart.y]) <= 0 for row in chart.rows)


def test_too_few_test_rows_for_one_percent(hard, start):
    few = hard.splits._replace(test=hard.splits.test.take(slice(0, 99)))
    found = attacked(start, hard._replace(splits=few))
    missing = found[f"tpr_at_1_percent_fpr[{LOSS}]"]
    assert isinstance(missing, Missing)
    assert "99" in str(missing.reason)
    assert isinstance(auc_of(found, LOSS), Evidence)


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
    for name in ("attack_auc", "tpr_at_1_percent_fpr"):
        one = found[f"{name}[{LIRA}]"]
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
